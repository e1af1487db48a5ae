from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.errors import DataError
from datamodules.moving_scenes import PaintingScenes, painting
from fit.evaluation.clips import Judged, JudgedClips, Look, judged_clips
from lightning_modules.flow import DISFlow
from lightning_modules.metrics.warping_error import warping_error

SIZE = (48, 64)
NIGHT = Look()


def clips(data: str = "scenes", look: Look = NIGHT, count: int = 3, **options: object) -> JudgedClips:
    return judged_clips(data, look, count, DISFlow(), **{"size": SIZE, "frames": 4, **options})


def folder(path: Path, count: int = 3) -> Path:
    path.mkdir()
    for n in range(count):
        values = np.random.default_rng(n).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(values).resize((120, 90)).save(path / f"{n}.png")
    return path


def test_scenes_are_in_motion_with_exact_flow_and_noise() -> None:
    judged = list(clips())
    assert [clip.number for clip in judged] == [0, 1, 2]
    assert [clip.name for clip in judged] == ["chelsea", "rocket", "chelsea (2)"]
    for clip in judged:
        assert clip.content.shape == (1, 4, 3, *SIZE)
        assert clip.motion[0].shape == (1, 3, 2, *SIZE)
        assert clip.content.abs().max() <= 1
        assert 0 < warping_error(clip.content, *clip.motion) < 0.002


def test_the_style_is_under_the_same_camera() -> None:
    for clip in clips():
        torch.testing.assert_close(clip.motion[0], clip.style.flow, rtol=0, atol=1e-3)
        assert not torch.equal(clip.content, clip.style.frames)


def test_it_is_the_same_every_time_and_noise_differs() -> None:
    once, again = list(clips()), list(clips())
    assert all(torch.equal(a.content, b.content) for a, b in zip(once, again, strict=True))
    assert all(torch.equal(a.style.frames, b.style.frames) for a, b in zip(once, again, strict=True))


def test_own_paintings_are_those_of_training() -> None:
    palettes = ("night", "wheat")
    names = [name for name, _ in clips(look=Look(palettes=palettes, seed=5)).style.pictures]
    source = PaintingScenes(palettes, 8, 2, SIZE, 0.015, seed=5)
    assert names == [f"{palettes[source.style_id(index)]} {index}" for index in range(8)]
    made = clips(look=Look(palettes=palettes, seed=5)).style.pictures[3][1]()
    assert np.array_equal(made, painting(5, "wheat", 3))


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    found = clips(str(folder(tmp_path / "content")), Look(folder(tmp_path / "style", 5)), 0)
    assert found.exact
    assert found.names == ["0.png", "1.png", "2.png"]
    assert len(list(found.styles())) == 5
    assert {picture.shape for picture in found.styles()} == {(1, 3, *SIZE)}


def test_a_style_of_pictures_and_videos_is_refused_as_in_training(tmp_path: Path, clip: object) -> None:
    folder(tmp_path / "style")
    clip("style/in.mp4", size=(48, 64))
    with pytest.raises(DataError, match="expected either pictures or videos, got 3 pictures and 1 videos"):
        clips(look=Look(tmp_path / "style"))


def test_videos_have_their_flow_estimated(tmp_path: Path, clip: object) -> None:
    clip("in.mp4", size=(48, 64))
    found = clips(str(tmp_path), count=0)
    assert not found.exact
    judged: list[Judged] = list(found)
    assert [one.name for one in judged] == ["in.mp4 from frame 0", "in.mp4 from frame 4"]
    assert judged[0].motion[0].shape == (1, 3, 2, *SIZE)


@pytest.mark.shared
def test_real_sequences(shared: Path) -> None:
    both = [clips(str(shared / "vimeo_septuplet"), count=0, split=split, size=None, frames=None) for split in ("test", "all")]
    assert [len(one) for one in both] == [5, 18]
    first = next(iter(both[0]))
    assert first.name == "00002/0004"
    assert first.content.shape == (1, 7, 3, 256, 448)
    assert len(next(iter(clips(str(shared / "vimeo_triplet"), frames=None))).content[0]) == 3


def test_some_clips_are_spread_over_all(tmp_path: Path) -> None:
    content = folder(tmp_path / "content", 10)
    source = clips(str(content), count=0).content
    assert JudgedClips(source, source, 5, DISFlow(), "").numbers == [0, 2, 4, 6, 8]


def test_refuses_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        clips(str(tmp_path))


def test_the_look_says_what_it_is(tmp_path: Path) -> None:
    assert str(Look()) == "own paintings (night; seed 0)"
    assert str(Look(tmp_path)) == str(tmp_path)
