"""Finds out what reads a video file right, when each frame is shown, and where it cuts: by decoding it once from end to end.

Decord returns wrong frames without a word for some files (open groups of pictures, edit lists, MPEG-TS, ...), and neither the
codec nor the container tells which. So every frame is compared with what Decord returns after a jump to the key frame before
it. Where Decord is wrong, PyAV is tried in the same way, and key frames from which it decodes anything else are not used. A
damaged file may decode to whatever lies in the decoder's memory, and is refused.
"""

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.cuts import CutFinder
from datamodules.decode import DecordReader, open_decord
from datamodules.errors import DataError
from datamodules.frames import VideoFrame, VideoReader, open_video
from datamodules.random import rng
from datamodules.seeking import SeekingReader
from datamodules.videos import Video, to_ticks

ROUNDING = 2  # largest difference of a value that is still the same frame
APART = 6  # frames between two key frames at least, for both to be jumped to
HELD = 2**26  # bytes of frames that are kept from the decoder, so that it takes other memory than it does elsewhere
MORE = 6  # jumps to frames that are no key frames


def check_video(path: Path, progress: Callable[[float], None] = lambda share: None) -> Video:
    """Decode a file and find out all that ``Video`` holds.

    Args:
        path: of the file.
        progress: told now and then which share of the file is done, as far as its length is known.

    Raises:
        DataError: it cannot be decoded from beginning to end, or not twice alike, or its pictures change in size.
    """
    status = path.stat()
    with open_video(path, stream="best", threads=1) as opened:
        seen = _Pass(path, opened)
        for number, frame in enumerate(opened):
            seen.add(number, frame)
            progress(min(1.0, number / (opened.info.frames or number + 1)))
    seen.held.clear()
    found = seen.video(status.st_size, status.st_mtime_ns)
    return found if found.decoder == "decord" else found._replace(entries=_tried(found, seen.marks, progress))


class _Pass:
    """What is gathered while a file is decoded in order."""

    def __init__(self, path: Path, opened: VideoReader) -> None:
        self.path, self.opened = path, opened
        self.decord, self.cuts = _DecordCheck(path), CutFinder()
        self.times: list[Fraction] = []
        self.marks: list[int] = []
        self.held: deque[VideoFrame] = deque()
        self.keys: list[int] = []
        self.shape: tuple[int, ...] | None = None

    def add(self, number: int, frame: VideoFrame) -> None:
        """The next frame."""
        self.held.append(frame)
        if len(self.held) * frame.picture.width * frame.picture.height * 3 > HELD:
            self.held.popleft()
        pixels = _plain(frame)
        self.shape = self.shape or pixels.shape
        if pixels.shape != self.shape:
            got = f"{pixels.shape[1]}x{pixels.shape[0]} after {self.shape[1]}x{self.shape[0]}"
            raise DataError(self.path, "one picture size", got, "convert the file with ffmpeg")
        self.times.append(frame.time)
        self.marks.append(_mark(pixels))
        if frame.picture.key_frame:
            self.keys.append(number)
        self.cuts.add(pixels)
        self.decord.add(number, frame.stored.apply(pixels))

    def video(self, size: int, changed: int) -> Video:
        """What came of it; where Decord fails, with key frames that are still to be tried."""
        ticks, unit = to_ticks(self.times)
        exact = self.decord.holds(len(self.times))
        return Video(
            path=self.path,
            size=size,
            changed=changed,
            container=self.opened.container,
            codec=self.opened.codec,
            rotation=self.opened.info.stored.degrees,
            decoder="decord" if exact else "pyav",
            entries=() if exact else (0, *_apart(self.keys)),
            cuts=self.cuts.finish(),
            ticks=ticks,
            time_base=unit,
        )


class _DecordCheck:
    """Compares the frames that pass by in order with what Decord returns for them after jumps."""

    def __init__(self, path: Path) -> None:
        self.right = True
        try:
            self.reader: DecordReader = open_decord(path)
        except DataError:
            self.right = False
            return
        frames, self.keys = len(self.reader), self.reader.key_frames() or [0]
        self.draws = rng(0, "video check", frames)
        self.jumps = {0, *_apart(self.keys), *(int(number) for number in self.draws.integers(frames, size=MORE))}

    def add(self, number: int, pixels: NDArray[np.uint8]) -> None:
        """The next frame in order. Decord reads on from the last jump, or jumps here from another key frame."""
        if not self.right:
            return
        try:
            if number in self.jumps:
                self.reader.read([int(self.draws.choice(self.keys))])
            jumped = self.reader.read([number])[0]
        except DataError:
            self.right = False
            return
        self.right = jumped.shape == pixels.shape and cv2.norm(jumped, pixels, cv2.NORM_INF) <= ROUNDING

    def holds(self, frames: int) -> bool:
        """Whether every frame was right, and there were as many as there are."""
        return self.right and len(self.reader) == frames


def _plain(frame: VideoFrame) -> NDArray[np.uint8]:
    """RGB as stored by FFmpeg's plain conversion, Decord's; ours, being more exact, differs from it by more than rounding."""
    return np.ascontiguousarray(frame.picture.to_ndarray(format="rgb24"), dtype=np.uint8)


def _apart(keys: list[int]) -> list[int]:
    """Key frames after the first that are not too close to one another: some files have nothing but key frames."""
    chosen = [0]
    for key in sorted(keys):
        if key > chosen[-1] + APART:
            chosen.append(key)
    return chosen[1:]


def _tried(video: Video, marks: list[int], progress: Callable[[float], None]) -> tuple[int, ...]:
    """The key frames from which PyAV decodes exactly what it decodes in order, up to the next."""
    reader, good = SeekingReader(video), []
    try:
        for entry, stop in pairwise((*video.entries, video.frames)):
            progress(1.0)
            if _decodes(reader, entry, marks[entry:stop]):
                good.append(entry)
    finally:
        reader.close()
    if 0 not in good:
        expected, got = "a video that decodes alike each time", "other frames the second time"
        raise DataError(video.path, expected, got, "it is damaged; repair or replace it")
    return tuple(good)


def _decodes(reader: SeekingReader, entry: int, marks: list[int]) -> bool:
    """Whether these are the frames that come after a jump to ``entry``."""
    try:
        return [_mark(_plain(frame)) for _, frame in islice(reader.frames_from(entry), len(marks))] == marks
    except DataError:
        return False


def _mark(pixels: NDArray[np.uint8]) -> int:
    """To recognise a frame by."""
    return crc32(pixels.data)
