import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.batch import Clips
from datamodules.errors import DataError
from datamodules.random import Draw
from datamodules.source import ClipSource
from datamodules.style import StyleImages, Styles, style_source
from datamodules.video_clips import StyleVideos
from lightning_modules.ops.warp import warp

SIZE = (48, 40)


def paint(path: Path, size: tuple[int, int] = (90, 120), colour: int = 0) -> None:
    """A smooth picture: soft blobs, so that interpolation hardly matters."""
    coarse = np.random.default_rng(colour).integers(256, size=(6, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number, size in enumerate([(90, 120), (200, 70), (20, 20)]):
        paint(tmp_path / "style" / f"{number}.png", size, number)
    return tmp_path / "style"


def test_pictures_of_any_size_come_as_clips_with_exact_flow(pictures: Path) -> None:
    source = style_source(pictures, 5, SIZE)
    assert isinstance(source.sources[0], StyleImages)
    assert len(source) == 3
    assert source.styles == ("style",)
    for index in range(3):
        clip = source.clip(Draw(0, 0, index))
        assert clip.flow is not None
        assert clip.visible is not None
        assert (clip.frames.shape, clip.frames.dtype) == ((5, 3, *SIZE), torch.uint8)
        assert (clip.flow.shape, clip.visible.shape) == ((4, 2, *SIZE), (4, 1, *SIZE))
        frames = clip.frames.float()
        moved = (frames[1:] - frames[:-1]).abs().mean()
        error = (clip.visible * (warp(frames[:-1], clip.flow) - frames[1:])).abs().sum() / clip.visible.sum() / 3
        assert moved > 1, "there is motion"
        assert error < 0.35 * moved + 0.5, "which the flow explains"


def test_clip_number_i_shows_picture_number_i(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (50, 60), (90 * number, 10, 200)).save(tmp_path / f"{number}.png")
    source = style_source(tmp_path, 2, SIZE)
    for number in range(3):
        pixels = source.clip(Draw(0, 0, number)).frames.movedim(1, -1).reshape(-1, 3).unique(dim=0)
        assert pixels.tolist() == [[90 * number, 10, 200]]


def test_motion_is_drawn_anew_each_time_and_from_the_draw_alone(pictures: Path) -> None:
    source = style_source(pictures, 3, SIZE)
    again = pickle.loads(pickle.dumps(source))
    draws = [Draw(seed, epoch, index) for seed in (0, 1) for epoch in (0, 1) for index in range(3)]
    clips = [source.clip(draw).frames for draw in draws]
    assert len({clip.numpy().tobytes() for clip in clips}) == len(draws)
    assert all(torch.equal(again.clip(draw).frames, clip) for draw, clip in list(zip(draws, clips, strict=True))[::-1])


def test_a_fine_picture_is_seen_as_if_it_had_not_been_reduced_first(tmp_path: Path) -> None:
    paint(tmp_path / "fine" / "a.png", (480, 480))
    paint(tmp_path / "finer" / "a.png", (960, 960))
    fine, finer = (style_source(tmp_path / name, 3, SIZE).clip(Draw(0, 0, 0)).frames for name in ("fine", "finer"))
    assert (fine.float() - finer.float()).abs().mean() < 1


def test_the_kind_of_file_decides(tmp_path: Path, video: Callable[..., Path], pictures: Path) -> None:
    video(tmp_path / "films" / "a.mp4", range(6))
    source = style_source(str(tmp_path / "films"), 3, SIZE)
    assert isinstance(source.sources[0], StyleVideos)
    assert source.clip(Draw(0, 0, 0)).frames.shape == (3, 3, *SIZE)
    video(pictures / "a.mp4", range(6))
    with pytest.raises(DataError, match="either pictures or videos, got 3 pictures and 1 videos"):
        style_source(pictures, 3, SIZE)


def test_folders_in_a_folder_are_styles_with_ids(tmp_path: Path, video: Callable[..., Path]) -> None:
    for name, count, colour in (("monet", 2, 40), ("hokusai", 3, 120)):
        for number in range(count):
            (tmp_path / name / "more").mkdir(parents=True, exist_ok=True)
            path = tmp_path / name / ("more" if number else "") / f"{number}.png"
            Image.new("RGB", (50, 60), (colour, 20 * number, 0)).save(path)
    video(tmp_path / "film" / "a.mp4", range(12))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.me").touch()
    source = style_source(tmp_path, 2, SIZE)
    assert source.styles == ("film", "hokusai", "monet")
    assert [source.style_id(index) for index in range(6)] == [0, 1, 2, 0, 1, 2]
    for index in range(len(source)):
        red = int(source.clip(Draw(0, 0, index)).frames[0, 0, 0, 0])
        assert source.style_id(index) == {120: 1, 40: 2}.get(red, 0)


class Told(ClipSource):
    """Says in its pixel values what it was asked for."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def clip(self, draw: Draw) -> Clips:
        return Clips(torch.tensor([draw.epoch, draw.index]))


@pytest.mark.parametrize("lengths", [(1,), (5,), (2, 5, 3), (4, 1)])
def test_every_style_is_shown_equally_often_and_no_clip_twice_alike(lengths: tuple[int, ...]) -> None:
    source = Styles({f"style {i}": Told(length) for i, length in enumerate(lengths)})
    most, seen = max(lengths), set()
    for epoch in range(4):
        asked = [(source.style_id(i), *source.clip(Draw(0, epoch, i)).frames.tolist()) for i in range(len(source))]
        for style, length in enumerate(lengths):
            indices = [index for shown, _, index in asked if shown == style]
            assert len(indices) == most
            counts = [indices.count(index) for index in range(length)]
            assert max(counts) - min(counts) <= 1
        # Equal motion for two clips of different styles would be no better than for two of one.
        assert len({(number, index) for _, number, index in asked}) == len(asked)
        assert seen.isdisjoint(asked)
        seen.update(asked)


def test_a_single_style_draws_as_its_source_does(pictures: Path) -> None:
    source = style_source(pictures, 2, SIZE)
    for draw in (Draw(0, 0, 1), Draw(3, 5, 2)):
        assert torch.equal(source.clip(draw).frames, source.sources[0].clip(draw).frames)


def test_loose_files_beside_styles_are_refused(tmp_path: Path) -> None:
    paint(tmp_path / "ink" / "a.png")
    paint(tmp_path / "b.png")
    with pytest.raises(DataError, match="a folder of them for each style, got 1 files beside 1 folders; give each style"):
        style_source(tmp_path, 2, SIZE)


def test_folders_without_style_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: expected a folder, got nothing there"):
        style_source(tmp_path / "absent", 3, SIZE)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="expected pictures or videos that show the style, got neither"):
        style_source(tmp_path, 3, SIZE)


def test_damaged_pictures_are_refused_at_once(pictures: Path) -> None:
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"1 that cannot: broken\.jpg"):
        style_source(pictures, 3, SIZE)


@pytest.mark.shared
def test_real_paintings_move(shared: Path) -> None:
    source = style_source(shared / "styles", 2, (144, 144))
    for index in range(len(source)):
        clip = source.clip(Draw(0, 0, index))
        assert clip.frames.shape == (2, 3, 144, 144)
        assert clip.frames.float().std() > 15
