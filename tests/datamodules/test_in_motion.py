from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.in_motion import PicturesInMotion, pictures_of
from datamodules.random import Draw
from lightning_modules.ops.warp import warp

SIZE = (32, 48)


def gradient(height: int, width: int, channel: int) -> np.ndarray:
    """Smooth, so that resampling changes nothing."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., channel] = np.linspace(20, 230, width)[None]
    picture[..., (channel + 1) % 3] = np.linspace(20, 230, height)[:, None]
    return picture


def source(pictures: int = 2, length: int = 5) -> PicturesInMotion:
    made = [(f"picture {n}", lambda n=n: gradient(80 + 20 * n, 120, n)) for n in range(pictures)]
    return PicturesInMotion(made, 4, SIZE, length)


def test_flow_is_that_of_the_picture() -> None:
    clip = source().clip(Draw(0, 0, 0))
    assert clip.frames.shape == (4, 3, *SIZE)
    assert clip.frames.dtype == torch.uint8
    frames, seen = clip.frames.float(), clip.visible.float()
    wrong = ((warp(frames[:-1], clip.flow) - frames[1:]).abs() * seen).max()
    assert wrong <= 2  # both sides are rounded to whole grey levels
    assert ((warp(frames[:-1], -clip.flow) - frames[1:]).abs() * seen).max() > 2 * wrong


def test_motion_depends_on_seed_and_number_not_on_the_picture() -> None:
    one, other = source(1), source(2)
    for index in range(3):
        a, b = (s.clip(Draw(7, 0, index)) for s in (one, other))
        torch.testing.assert_close(a.flow, b.flow, rtol=0, atol=1e-3)
    assert not torch.equal(one.clip(Draw(7, 0, 0)).flow, one.clip(Draw(7, 0, 1)).flow)
    assert not torch.equal(one.clip(Draw(7, 0, 0)).flow, one.clip(Draw(8, 0, 0)).flow)


def test_pictures_take_turns_and_are_named() -> None:
    clips = source()
    assert len(clips) == 5
    assert [clips.name(index) for index in range(3)] == ["picture 0", "picture 1", "picture 0 (2)"]
    reds = [float(clips.clip(Draw(0, 0, index)).frames[:, 2].float().mean()) for index in range(4)]
    assert reds[0] == reds[2] == 0  # picture 0 has no blue, picture 1 does
    assert min(reds[1], reds[3]) > 0


def test_reads_a_folder(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b.png", "below/a.png"):
        Image.fromarray(gradient(90, 120, 0)).save(tmp_path / name)
    pictures = pictures_of(tmp_path, SIZE)
    assert [name for name, _ in pictures] == ["b.png", "a.png"]
    assert pictures[0][1]().shape[2] == 3


def test_refuses_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected pictures, got none"):
        pictures_of(tmp_path, SIZE)


def test_names_damaged_pictures(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no")
    with pytest.raises(DataError, match=r"broken\.png"):
        pictures_of(tmp_path, SIZE)
