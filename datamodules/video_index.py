"""Which videos of a folder can be used, how many frames they have, and whether Decord finds the right ones.

Decord returns wrong frames without a word for some files (open groups of pictures, edit lists, MPEG-TS, ...). The codec's
name does not tell which: every file is decoded once from beginning to end, and what Decord returns for jumps into the middle
is compared on the way.
"""

import sys
from collections.abc import Iterator
from copy import copy
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from tqdm import tqdm

from datamodules.decode import Decoder, open_indexed
from datamodules.errors import DataError
from datamodules.folder import VIDEOS, list_files
from datamodules.frames import VideoFrame, open_video
from datamodules.pictures import Orientation
from datamodules.random import rng

RUN = 7  # frames read after each jump
KEY_JUMPS = 8  # jumps to a key frame, where wrong numbers begin
ROUNDING = 2  # largest difference of a value that is still the same frame


class Video(NamedTuple):
    """A usable file: its number of frames, and what reads them."""

    path: Path
    frames: int
    decoder: Decoder


def usable_videos(folder: Path, least: int) -> list[Video]:
    """Check every video file of a folder and the folders below it. Says in one line what came of it.

    Args:
        folder: to search.
        least: frames that a video needs.

    Raises:
        DataError: no such folder, no usable video, or more than half of the files cannot be read.
    """
    paths = list_files(folder, VIDEOS)
    videos, unread, short = [], [], []
    for path in tqdm(paths, desc="checking videos", unit="file", leave=False, delay=2):
        try:
            video = check_video(path)
        except DataError as error:
            unread.append(f"{path.relative_to(folder)} (expected {error.expected}, got {error.got})")
            continue
        if video.frames < least:
            short.append(f"{path.relative_to(folder)} ({video.frames} frames of {least})")
        else:
            videos.append(video)
    left_out = "; ".join(unread + short) or "no video files"
    if not videos:
        expected, action = f"videos of at least {least} frames", "give other files or ask for shorter clips"
        raise DataError(folder, expected, f"none: {left_out}", action)
    if len(unread) > len(paths) / 2:
        got = f"{len(unread)} of {len(paths)} unreadable: " + "; ".join(unread)
        raise DataError(folder, "videos, most of them readable", got, "repair or remove them")
    _say(_summary(folder, videos, left_out if unread or short else "", len(paths)))
    return videos


def _summary(folder: Path, videos: list[Video], left_out: str, files: int) -> str:
    slow = sum(video.decoder == "in order" for video in videos)
    parts = [f"{folder}: {len(videos)} of {files} videos usable, {sum(video.frames for video in videos)} frames"]
    if slow:
        parts.append(f"{slow} of them slow, as they are read from their beginning each time (convert to plain H.264)")
    if left_out:
        parts.append(f"left out: {left_out}")
    return "; ".join(parts)


@rank_zero_only
def say(line: str) -> None:
    """Tell the person who runs this."""
    print(line, file=sys.stderr)


@lru_cache(maxsize=64)
def _say(line: str) -> None:
    """Say a line, once: training and validation look at the same folder."""
    say(line)


def check_video(path: Path) -> Video:
    """Decode a file once and find out what reads it right; remembered until the file changes.

    Raises:
        DataError: it cannot be decoded from beginning to end.
    """
    status = path.stat()
    result = _check(path, status.st_size, status.st_mtime_ns)
    if isinstance(result, DataError):
        raise copy(result)
    return result


@cache
def _check(path: Path, size: int, changed: int) -> Video | DataError:
    try:
        with open_video(path, stream="best") as video:
            comparison, shapes = _Comparison(path), set()
            for number, frame in enumerate(video):
                shapes.add((frame.picture.height, frame.picture.width))
                comparison.add(number, frame)
    except DataError as error:
        return copy(error)  # without its traceback, which would keep the file open
    if len(shapes) > 1:
        return DataError(path, "one picture size", f"the sizes {sorted(shapes)}", "convert the file with ffmpeg")
    return Video(path, number + 1, "decord" if comparison.holds(number + 1) else "in order")


class _Comparison:
    """Compares what Decord returns for jumps with the frames that pass by in order."""

    def __init__(self, path: Path) -> None:
        self.right = True
        self.expected: dict[int, NDArray[np.uint8]] = {}
        try:
            self.reader = open_indexed(path)
        except DataError:
            self.right = False
            return
        self.jumps = sorted(set(_jumps(len(self.reader), self.reader.key_frames())))

    def add(self, number: int, frame: VideoFrame) -> None:
        """The next frame in order."""
        if self.right and self.jumps and number == self.jumps[0]:
            self._jump(self.jumps.pop(0))
        if self.right and number in self.expected:
            plain = Orientation.of(frame.picture).apply(_plain(frame)).astype(np.int16)
            jumped = self.expected.pop(number)
            self.right = plain.shape == jumped.shape and bool(np.abs(plain - jumped).max() <= ROUNDING)

    def _jump(self, number: int) -> None:
        run = range(number, min(number + RUN, len(self.reader)))
        try:
            if len(self.jumps) % 2:  # some from the beginning, some from where the one before led
                self.reader.read([0])
            self.expected.update(zip(run, self.reader.read(run), strict=True))
        except DataError:
            self.right = False

    def holds(self, frames: int) -> bool:
        """Whether every jump led to the right frames and the number of frames is right."""
        return self.right and len(self.reader) == frames


def _plain(frame: VideoFrame) -> NDArray[np.uint8]:
    """RGB by FFmpeg's plain conversion, which is Decord's; ours, being more exact, differs from it by more than rounding."""
    return np.asarray(frame.picture.to_ndarray(format="rgb24"), dtype=np.uint8)


def _jumps(frames: int, keys: list[int]) -> Iterator[int]:
    """Where to jump: the first frames, the last ones, anywhere, and to and just before key frames."""
    draws = rng(0, "video check", frames)
    yield from (0, max(0, frames - RUN), *(int(number) for number in draws.integers(frames, size=2)))
    for place, key in enumerate(draws.permutation(keys)[:KEY_JUMPS]):
        yield max(0, int(key) - (RUN // 2 if place < 2 else 0))
