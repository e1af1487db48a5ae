import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.batch import Clips
from datamodules.errors import DataError
from datamodules.random import Draw
from datamodules.video_clips import Stretch, StyleVideos, VideoClips, divide, extent
from datamodules.video_index import Video

SIZE = (32, 64)
ROOT = Path("/videos")


def some(*lengths: int) -> list[Video]:
    return [Video(ROOT / f"{number}.mp4", length, "decord") for number, length in enumerate(lengths)]


def test_extent_counts_the_frames_between() -> None:
    assert [extent(1, 5), extent(3, 1), extent(3, 4)] == [1, 3, 9]


def test_every_file_is_trained_on_or_validated_on_never_both() -> None:
    videos = some(*[100] * 40)
    train, val = divide(videos, "train", 3, ROOT), divide(videos, "val", 3, ROOT)
    assert len(val) == 4
    assert len(train) == 36
    assert set(train + val) == {Stretch(video, 0, 100) for video in videos}
    assert divide(videos[::-1], "val", 3, ROOT) == val[::-1]


def test_more_files_move_few_from_one_side_to_the_other() -> None:
    fewer, more = some(*[100] * 40), some(*[100] * 44)
    before = {stretch.video for stretch in divide(fewer, "val", 3, ROOT)}
    after = {stretch.video for stretch in divide(more, "val", 3, ROOT)}
    moved = (before ^ after) & set(fewer)
    assert len(moved) <= 4


def test_the_bulk_of_the_frames_is_trained_on() -> None:
    for place in range(2):
        lengths = [10, 10]
        lengths[place] = 1000
        assert [stretch.stop for stretch in divide(some(*lengths), "train", 3, ROOT)] == [1000]


def test_a_single_file_is_divided_in_time() -> None:
    videos = some(200)
    assert divide(videos, "train", 7, ROOT) == [Stretch(videos[0], 0, 180)]
    assert divide(videos, "val", 7, ROOT) == [Stretch(videos[0], 180, 200)]
    assert divide(some(14), "val", 7, ROOT)[0].first == 7
    with pytest.raises(DataError, match="one of 14 frames, got one of 13 frames"):
        divide(some(13), "train", 7, ROOT)


@pytest.fixture
def clips(tmp_path: Path, video: Callable[..., Path]) -> Callable[..., VideoClips]:
    """Builds a source of two stretches: frames 4 to 29 of one video, 0 to 11 of another."""
    long, short = (Video(video(tmp_path / f"{n}.mp4", range(n), g="6"), n, "decord") for n in (40, 12))

    def build(frames: int = 3, stride: int = 1, training: bool = True, size: tuple[int, int] = SIZE) -> VideoClips:
        stretches = [Stretch(long, 4, 30), Stretch(short, 0, 12)]
        return VideoClips(stretches, frames, size, stride, "a stream", training)

    return build


@pytest.fixture
def shown(read_numbers: Callable[[NDArray[np.uint8]], list[int]]) -> Callable[[Clips], list[int]]:
    return lambda clip: read_numbers(clip.frames.permute(0, 2, 3, 1).numpy())


def test_validation_lays_clips_side_by_side(clips: Callable[..., VideoClips], shown: Callable[[Clips], list[int]]) -> None:
    source = clips(frames=2, stride=3, training=False)
    # 26 frames hold 6 clips that reach over 4 frames, 12 hold 3.
    right = [[4 + 4 * i, 7 + 4 * i] for i in range(6)] + [[4 * i, 4 * i + 3] for i in range(3)]
    assert [shown(source.clip(Draw(0, 0, i))) for i in range(len(source))] == right
    assert shown(source.clip(Draw(5, 7, 2))) == right[2]


def test_training_takes_clips_anywhere_in_both_directions(
    clips: Callable[..., VideoClips], shown: Callable[[Clips], list[int]]
) -> None:
    source = clips(frames=3, stride=2)
    starts, directions = set(), set()
    for epoch in range(60):
        numbers = shown(source.clip(Draw(0, epoch, 0)))
        direction = numbers[1] - numbers[0]
        assert numbers[2] - numbers[1] == direction
        assert abs(direction) == 2
        starts.add(min(numbers))
        directions.add(direction)
    assert directions == {-2, 2}
    assert min(starts) == 4, "the first frame of the stretch"
    assert max(starts) == 30 - 5, "the last start from which a clip fits"
    assert len(starts) > 15


def test_a_clip_depends_on_its_draw_alone(clips: Callable[..., VideoClips]) -> None:
    source = clips(size=(16, 16))
    again = pickle.loads(pickle.dumps(source))
    draws = [Draw(3, epoch, index) for epoch in range(2) for index in range(len(source))]
    first = [source.clip(draw) for draw in draws]
    assert all(torch.equal(again.clip(draw).frames, clip.frames) for draw, clip in list(zip(draws, first, strict=True))[::-1])
    assert len({clip.frames.numpy().tobytes() for clip in first}) > 0.8 * len(draws), "other draws give other clips"
    assert {(clip.frames.shape, clip.frames.dtype, clip.flow) for clip in first} == {((3, 3, 16, 16), torch.uint8, None)}


def test_style_videos_use_every_frame_of_every_file(
    tmp_path: Path, video: Callable[..., Path], shown: Callable[[Clips], list[int]]
) -> None:
    video(tmp_path / "a.mp4", range(6))
    video(tmp_path / "b.mp4", range(100, 109))
    source = StyleVideos(tmp_path, 3, SIZE)
    assert len(source) == 2 + 3
    seen = {number for epoch in range(20) for i in range(5) for number in shown(source.clip(Draw(0, epoch, i)))}
    assert seen == {*range(6), *range(100, 109)}
