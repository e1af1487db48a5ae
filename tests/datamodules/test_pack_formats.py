from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import pack_formats
from datamodules.pack_formats import decode, encode


def noise(height: int, width: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.square(a.astype(float) - b).mean())))


@pytest.mark.parametrize("size", [(16, 28), (15, 27), (1, 1), (2, 3), (256, 448)])
def test_lossless_gives_back_what_went_in(size: tuple[int, int]) -> None:
    frames = noise(*size, count=3)
    frames[1] = 0
    frames[2, ..., 0], frames[2, ..., 1], frames[2, ..., 2] = 255, 128, 1  # colours keep their places
    pictures = encode(frames, "lossless")
    assert np.array_equal(decode(pictures, "lossless", size), frames)
    assert np.array_equal(decode(pictures[1:2], "lossless", size), frames[1:2])  # each on its own


def test_small_is_close_and_keeps_colours_apart() -> None:
    flat = np.zeros((2, 64, 96, 3), dtype=np.uint8)
    flat[0, :, :48], flat[0, :, 48:] = (250, 10, 20), (10, 20, 250)  # an edge of colour only, where 4:2:0 smears
    flat[1] = cv2.resize(noise(8, 12, 1)[0], (96, 64), interpolation=cv2.INTER_CUBIC)
    frames = decode(encode(flat, "small"), "small", (64, 96))
    assert psnr(flat[0], frames[0]) > 40
    assert psnr(flat[1], frames[1]) > 40


def test_what_is_no_picture_of_this_form_and_size_is_refused() -> None:
    with pytest.raises(ValueError, match="not a picture in UtVideo"):
        decode([b"no picture at all"], "lossless", (16, 28))
    with pytest.raises(ValueError, match="expected a picture"):
        decode([b"no picture at all"], "small", (16, 28))
    with pytest.raises(ValueError, match=r"expected a picture \(32, 28, 3\), got \(16, 28, 3\)"):
        decode(encode(noise(16, 28), "small"), "small", (32, 28))


def test_an_encoder_that_loses_something_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = pack_formats._utvideo
    monkeypatch.setattr(pack_formats, "_utvideo", lambda frames: honest(frames ^ 1))
    with pytest.raises(RuntimeError, match="UtVideo by FFmpeg"):
        encode(noise(16, 28), "lossless")


@pytest.mark.shared
def test_real_pictures(shared: Path) -> None:
    """At least 41 dB on average in the small form, in RGB, and nothing lost in the other."""
    values = []
    for folder in sorted((shared / "vimeo_septuplet" / "sequences").glob("*/*"))[::3]:
        frames = np.stack([cv2.imread(str(folder / f"im{i}.png"), cv2.IMREAD_COLOR_RGB) for i in (1, 4, 7)])
        assert np.array_equal(decode(encode(frames, "lossless"), "lossless", (256, 448)), frames)
        small = decode(encode(frames, "small"), "small", (256, 448))
        values += [psnr(a, b) for a, b in zip(frames, small, strict=True)]
    assert min(values) > 38
    assert np.mean(values) > 44
