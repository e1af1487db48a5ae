from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.errors import DataError
from datamodules.image_files import read_image, refuse_damaged

GREY = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
COLOUR = np.random.default_rng(0).integers(256, size=(8, 12, 3), dtype=np.uint8)


def test_sixteen_bits_become_the_upper_eight(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257  # 0 stays 0 and white stays white
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.stack([GREY] * 3, -1))


def test_floating_point_in_zero_to_one_is_scaled(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.float32) / 255).save(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif")[..., 1], GREY)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    # Cyan takes away red, and so on: with no black ink, R = 255 - C.
    Image.fromarray(np.concatenate([255 - COLOUR, np.zeros_like(COLOUR[..., :1])], -1), "CMYK").save(tmp_path / "a.tif")
    assert np.abs(read_image(tmp_path / "a.tif").astype(int) - COLOUR).max() <= 1


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    alpha = np.zeros((8, 12, 1), dtype=np.uint8)
    alpha[:, 6:] = 255
    Image.fromarray(np.concatenate([COLOUR, alpha], -1), "RGBA").save(tmp_path / "a.png")
    result = read_image(tmp_path / "a.png")
    assert np.all(result[:, :6] == 255)
    assert np.array_equal(result[:, 6:], COLOUR[:, 6:])


def test_palettes_become_rgb(tmp_path: Path) -> None:
    flat = np.zeros((4, 4, 3), dtype=np.uint8) + np.array([200, 30, 90], dtype=np.uint8)
    Image.fromarray(flat).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), flat)


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: to be turned clockwise
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(COLOUR, -1))


def test_a_large_jpeg_may_be_read_smaller_but_not_too_small(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((800, 400, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").shape == (800, 400, 3)
    assert read_image(tmp_path / "a.jpg", least=90).shape == (200, 100, 3)


def test_all_damaged_images_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)).save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    refuse_damaged([tmp_path / "good.jpg"], tmp_path)
    with pytest.raises(DataError, match="3 that cannot") as caught:
        refuse_damaged(sorted(tmp_path.iterdir()), tmp_path)
    assert all(name in str(caught.value) for name in ("cut.jpg", "empty.png", "text.png"))
    assert "good.jpg" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_unusual_real_images_are_read_as_by_others(shared: Path) -> None:
    folder = shared / "images_odd"
    for name in ("cmyk_pytorch.jpg", "gray_pytorch.png", "rgb_pytorch16.png"):
        other = cv2.cvtColor(cv2.imread(str(folder / name), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        assert np.abs(read_image(folder / name).astype(int) - other).max() <= 3, name
    with_alpha = read_image(folder / "rgbalpha_pytorch.png")
    assert np.all(with_alpha[0, 0] == 255)


@pytest.mark.shared
def test_damaged_real_images_are_refused(shared: Path) -> None:
    folder = shared / "images_odd" / "broken"
    with pytest.raises(DataError, match=r"corrupt\.jpg.*sigsegv\.png"):
        refuse_damaged(sorted(folder.iterdir()), folder)
