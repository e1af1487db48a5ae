import pickle
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.batch import Clips
from datamodules.random import Draw
from datamodules.shots import Shot, shots
from datamodules.video_check import check_video
from datamodules.video_clips import StyleVideos, VideoClips, extent
from datamodules.videos import Video

SIZE = (32, 64)


def test_extent_counts_the_frames_between() -> None:
    assert [extent(1, 5), extent(3, 1), extent(3, 4)] == [1, 3, 9]


@pytest.fixture
def clips(tmp_path: Path, video: Callable[..., Path], record: Callable[..., Video]) -> Callable[..., VideoClips]:
    """Builds a source of two shots: frames 4 to 29 of one video, 0 to 11 of another."""
    long, short = (record(video(tmp_path / f"{n}.mp4", range(n), g="6"), n) for n in (40, 12))

    def build(
        frames: int = 3,
        stride: int = 1,
        training: bool = True,
        size: tuple[int, int] = SIZE,
        rate: Fraction | None = None,
    ) -> VideoClips:
        shots = [Shot(long, 4, 30, rate), Shot(short, 0, 12, rate)]
        return VideoClips(shots, frames, size, stride, "a stream", training)

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


def test_another_rate_takes_the_frames_shown_then(
    clips: Callable[..., VideoClips], shown: Callable[[Clips], list[int]]
) -> None:
    source = clips(frames=3, training=False, rate=Fraction(10))  # of files of 25 frames a second
    # Places of a shot show its frames 0, 2, 5, 7, 10, ...
    right = [[4, 6, 9], [11, 14, 16], [19, 21, 24]] + [[0, 2, 5]]
    assert [shown(source.clip(Draw(0, 0, i))) for i in range(len(source))] == right
    assert shown(clips(frames=2, stride=2, training=False, rate=Fraction(10)).clip(Draw(0, 0, 0))) == [4, 9]
    assert shown(clips(frames=5, training=False, rate=Fraction(50)).clip(Draw(0, 0, 0))) == [4, 4, 5, 5, 6]


def test_no_clip_of_any_draw_reaches_over_a_cut(
    tmp_path: Path, video: Callable[..., Path], shown: Callable[[Clips], list[int]]
) -> None:
    lengths = [3, 20, 7, 1, 12]
    # From one shot to the next most columns of the code change.
    numbers = [n + (165 if i % 2 else 0) for i, length in enumerate(lengths) for n in range(length)]
    known = check_video(video(tmp_path / "a.mp4", numbers, g="10"))
    ends = list(accumulate(lengths))
    assert known.cuts == tuple(ends[:-1])
    for rate, stride in ((None, 1), (None, 2), (Fraction(20), 1)):
        found = shots(known, extent(4, stride), rate)
        source = VideoClips(found, 4, SIZE, stride, "a stream", training=True)
        for draw in (Draw(0, epoch, index) for epoch in range(15) for index in range(len(source))):
            clip = shown(source.clip(draw))
            assert max(clip) - min(clip) <= 3 * stride + 1


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
