"""Clips out of a folder of videos."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from datamodules.base import ClipSource, Split
from datamodules.batch import Clips
from datamodules.decode import read_frames
from datamodules.errors import DataError
from datamodules.random import Draw, rng
from datamodules.resize import channels_first, cover
from datamodules.video_index import Video, usable_videos

VALIDATION = 0.1  # share of the files, or of the only file, that is never trained on


class Stretch(NamedTuple):
    """Part of a video: frames ``first`` to ``stop - 1``."""

    video: Video
    first: int
    stop: int


class VideoClips(ClipSource):
    """Clips of videos. In training: anywhere, any crop, forwards or backwards; else side by side, in the middle, forwards.

    Args:
        stretches: of videos to take clips from, each at least one clip long.
        frames, size: of a clip.
        stride: frames of the video from one of the clip to the next, >= 1.
        stream: of random numbers.
        training: whether to choose at random.
    """

    def __init__(
        self, stretches: list[Stretch], frames: int, size: tuple[int, int], stride: int, stream: str, training: bool
    ) -> None:
        self.stretches, self.frames, self.size, self.stride = stretches, frames, size, stride
        self.stream, self.training = stream, training
        self.extent = extent(frames, stride)
        # So many clips fit side by side into the stretches up to each.
        self.ends = list(accumulate((stretch.stop - stretch.first) // self.extent for stretch in stretches))

    def __len__(self) -> int:
        return self.ends[-1]

    def clip(self, draw: Draw) -> Clips:
        which = bisect_right(self.ends, draw.index)
        (path, _, decoder), first, stop = self.stretches[which]
        start = first + self.extent * (draw.index - (self.ends[which - 1] if which else 0))
        place, reverse = None, False
        if self.training:
            draws = rng(draw.seed, self.stream, draw.epoch, draw.index)
            start, place = int(draws.integers(first, stop - self.extent + 1)), (draws.random(), draws.random())
            reverse = draws.random() < 0.5
        frames = cover(read_frames(path, range(start, start + self.extent, self.stride), decoder), self.size, place)
        # Time is turned here, before anyone computes flow from the frames.
        return Clips(channels_first(frames[::-1] if reverse else frames))


def extent(frames: int, stride: int) -> int:
    """Frames of a video that a clip reaches over."""
    return (frames - 1) * stride + 1


def divide(videos: list[Video], which: Split, least: int, root: Path) -> list[Stretch]:
    """Divide videos into those trained on and those never trained on.

    By file, as a hash of its name says, so that more files change little; a file with more than half of all frames is always
    trained on. A single file is divided in time, and its end is kept from training.

    Args:
        videos: to divide.
        which: part to return.
        least: frames of a clip.
        root: folder of the videos.

    Raises:
        DataError: a single video, too short to be divided.
    """
    if len(videos) == 1:
        video = videos[0]
        cut = video.frames - max(least, round(VALIDATION * video.frames))
        if cut < least:
            got = f"one of {video.frames} frames"
            raise DataError(root, f"several videos, or one of {2 * least} frames", got, "add videos or ask for shorter clips")
        return [Stretch(video, 0, cut) if which == "train" else Stretch(video, cut, video.frames)]
    total = sum(video.frames for video in videos)
    smaller = [video for video in videos if video.frames <= total / 2]
    smaller.sort(key=lambda video: crc32(video.path.relative_to(root).as_posix().encode()))
    kept = set(smaller[: max(1, round(VALIDATION * len(videos)))])
    return [Stretch(video, 0, video.frames) for video in videos if (video in kept) == (which == "val")]


class StyleVideos(VideoClips):
    """Clips of a folder of videos that show the style: all of them, in training and in validation.

    Args:
        folder: of the videos; folders below it count as well.
        frames, size: of a clip.

    Raises:
        DataError: see ``usable_videos``.
    """

    def __init__(self, folder: Path, frames: int, size: tuple[int, int]) -> None:
        stretches = [Stretch(video, 0, video.frames) for video in usable_videos(folder, frames)]
        super().__init__(stretches, frames, size, 1, "style video", training=True)
