"""Shots: stretches of video without a cut, from which clips are taken, at the file's own rate or another."""

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from datamodules.errors import DataError
from datamodules.source import Split
from datamodules.videos import Video

VALIDATION = 0.1  # share of the files, or of the only file, that is never trained on


class Shot(NamedTuple):
    """Frames ``first`` to ``stop - 1`` of a video, read at a rate: place k is the frame shown k / rate seconds after the first.

    Attributes:
        video: it is part of.
        first, stop: frames of the video.
        rate: places per second; None makes every frame a place, whatever its time.
    """

    video: Video
    first: int
    stop: int
    rate: Fraction | None = None

    @property
    def length(self) -> int:
        """Number of places."""
        if self.rate is None:
            return self.stop - self.first
        return int((self.video.time(self.stop - 1) - self.video.time(self.first)) * self.rate) + 1

    def frame(self, place: int) -> int:
        """The frame of the video at a place."""
        if self.rate is None:
            return self.first + place
        return _shown(self.video, self.video.time(self.first) + place / self.rate)

    def latest(self, places: int) -> int:
        """The last frame from which on as many places are left; below ``first`` if there are none so many."""
        if self.rate is None:
            return self.stop - places
        return _shown(self.video, self.video.time(self.stop - 1) - (places - 1) / self.rate)


def _shown(video: Video, time: Fraction) -> int:
    """The last frame at or before a time; -1 before the first."""
    return bisect_right(video.ticks, int(time // video.time_base)) - 1


def shots(video: Video, least: int, rate: Fraction | None = None, first: int = 0, stop: int | None = None) -> list[Shot]:
    """The shots of a video, or of part of it, that are long enough.

    Args:
        video: to take apart.
        least: places that are needed.
        rate: see ``Shot``.
        first: frame that begins the part.
        stop: frame after the part; None for the end.
    """
    stop = video.frames if stop is None else stop
    bounds = [first, *(cut for cut in video.cuts if first < cut < stop), stop]
    found = (Shot(video, begin, end, rate) for begin, end in pairwise(bounds) if begin < end)
    return [shot for shot in found if shot.length >= least]


def divide(videos: list[Video], which: Split, least: int, rate: Fraction | None, root: Path) -> list[Shot]:
    """Divide videos into those trained on and those never trained on, and take them apart.

    By file, as a hash of its name says, so that more files change little; a file with more than half of all frames is always
    trained on. A single file is divided in time, and its end is kept from training.

    Args:
        videos: to divide, each with a shot of at least ``least`` places.
        which: part to return.
        least: places of a clip.
        rate: see ``Shot``.
        root: folder of the videos.

    Raises:
        DataError: a single video, too short to be divided.
    """
    if len(videos) == 1:
        return _divide_in_time(videos[0], which, least, rate, root)
    total = sum(video.frames for video in videos)
    smaller = [video for video in videos if video.frames <= total / 2]
    smaller.sort(key=lambda video: crc32(video.path.relative_to(root).as_posix().encode()))
    kept = {video.path for video in smaller[: max(1, round(VALIDATION * len(videos)))]}
    chosen = [video for video in videos if (video.path in kept) == (which == "val")]
    return [shot for video in chosen for shot in shots(video, least, rate)]


def _divide_in_time(video: Video, which: Split, least: int, rate: Fraction | None, root: Path) -> list[Shot]:
    last = shots(video, least, rate)[-1]
    # The end must hold a clip, which the last shots may be too short for.
    cut = max(0, min(video.frames - round(VALIDATION * video.frames), last.latest(least)))
    parts = {"train": shots(video, least, rate, 0, cut), "val": shots(video, least, rate, cut)}
    if not all(parts.values()):
        expected = "several videos, or one that holds a clip to train on and one to validate on"
        raise DataError(root, expected, f"one of {video.frames} frames", "add videos or ask for shorter clips")
    return parts[which]
