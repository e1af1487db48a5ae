"""Video file -> frames by index. The only place that knows Decord, which is loaded at its first use.

Decord jumps quickly to any frame, but not in every file to the right one: ``video_check`` finds out. Other files are read by
``seeking``.

A decoder lives in one process: used after a fork it hangs, and freeing it there hangs or crashes, as its threads are not in
the child. Hence files are opened at their first use in each process, few are kept open, and all are closed before a fork.
"""

import ctypes
import gc
import os
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.errors import DataError
from datamodules.seeking import SeekingReader
from datamodules.videos import Video

OPEN_READERS = 4  # each keeps decoded frames ahead: up to 85 MiB were seen on a long file


@cache
def _decord() -> Any:
    # Decord asks for its symbols to be visible to every library loaded later; its old zlib then breaks the PNG readers of
    # OpenCV and torchvision. Nothing needs them visible.
    flags, everywhere = vars(ctypes), ctypes.RTLD_GLOBAL
    flags["RTLD_GLOBAL"] = ctypes.RTLD_LOCAL
    try:
        import decord
    finally:
        flags["RTLD_GLOBAL"] = everywhere
    decord.logging.set_level(decord.logging.QUIET)
    return decord


class DecordReader:
    """A video file, or a pattern of numbered pictures, opened by Decord. Not to be passed to another process.

    Args:
        path: of the file.

    Raises:
        DataError: Decord cannot open it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.path.abspath(path)  # FFmpeg would take "a:b.mp4" for a protocol
        try:
            # One thread: the workers already fill the cores.
            self._reader = _decord().VideoReader(self.path, num_threads=1)
        except (_decord().DECORDError, RuntimeError, AssertionError, UnicodeError) as error:
            raise DataError(path, "a video that Decord opens", "one that it does not", "convert the file") from error

    def __len__(self) -> int:
        return len(self._reader)

    def close(self) -> None:
        """Close the file."""
        self._reader = None

    def key_frames(self) -> list[int]:
        """Numbers of the frames that decoding can start from, as far as the file says."""
        return [int(number) for number in self._reader.get_key_indices()]

    def read(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """RGB frames ``(T, H, W, 3)``, upright, in the order asked for.

        Raises:
            DataError: they cannot be decoded.
        """
        try:
            frames: NDArray[np.uint8] = self._reader.get_batch(list(indices)).asnumpy()
        except (_decord().DECORDError, _decord().DECORDLimitReachedError, RuntimeError, IndexError) as error:
            got = "a failure to decode" if indices[-1] < len(self) else f"{len(self)} frames"
            raise DataError(self.path, f"frames {list(indices)}", got, "it is damaged or was changed; repair it") from error
        return frames


def open_decord(path: Path) -> DecordReader:
    """Open a video file so that any frame may be read next.

    Raises:
        DataError: Decord cannot open it, or not read its first frame.
    """
    reader = DecordReader(path)
    # The first frame may carry what decoding all others depends on: which x264 wrote a file in 4:4:4, for one.
    reader.read([0])
    return reader


_open: OrderedDict[Path, DecordReader | SeekingReader] = OrderedDict()  # the last one used at the end


def _kept_open(video: Video) -> DecordReader | SeekingReader:
    if video.path not in _open:
        _check_unchanged(video)
        while len(_open) >= OPEN_READERS:
            _open.popitem(last=False)[1].close()
        _open[video.path] = open_decord(video.path) if video.decoder == "decord" else SeekingReader(video)
    _open.move_to_end(video.path)
    return _open[video.path]


def _check_unchanged(video: Video) -> None:
    try:
        status = video.path.stat()
    except OSError as error:
        raise DataError(video.path, "a video", error.strerror or str(error), "restore the file") from error
    if (status.st_size, status.st_mtime_ns) != (video.size, video.changed):
        raise DataError(video.path, "the file as it was checked", "a changed one", "start again")


def close_all() -> None:
    """Close the files kept open."""
    while _open:
        _open.popitem()[1].close()
    gc.collect()  # PyAV's decoders wait for it in reference cycles


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=close_all)


def read_frames(video: Video, numbers: Sequence[int]) -> NDArray[np.uint8]:
    """Frames of a video by number, from a file that stays open for the next reading.

    Args:
        video: to read.
        numbers: from 0, not falling; one may come several times.

    Returns:
        RGB, upright, ``(T, H, W, 3)``.

    Raises:
        DataError: the file was changed, or a frame cannot be decoded.
    """
    once, places = np.unique(numbers, return_inverse=True)
    try:
        return _kept_open(video).read([int(number) for number in once])[places]
    except DataError:
        if video.path in _open:
            _open.pop(video.path).close()  # nothing is known about the state that an error leaves a reader in
        raise


def read_pictures(folder: Path, indices: Sequence[int], length: int) -> NDArray[np.uint8]:
    """Pictures of a numbered sequence ``im1.png`` to ``im<length>.png``.

    Args:
        folder: of the sequence.
        indices: rising, from 0 for ``im1.png``.
        length: pictures in the sequence.

    Returns:
        RGB ``(T, H, W, 3)``.

    Raises:
        DataError: a picture is missing, damaged, or one too many.
    """
    if "%" in os.path.abspath(folder):  # which FFmpeg would take for part of the pattern
        return _one_by_one(folder, indices)
    try:
        reader = DecordReader(folder / "im%d.png")
        found = len(reader)
        pictures = reader.read(indices) if found == length else None
    except (
        DataError
    ):  # it cannot open small pictures of some widths (16, 24, 32, 48, 96), and does not say which file is damaged
        return _one_by_one(folder, indices)
    if pictures is None:
        raise DataError(folder, f"im1.png to im{length}.png and no other im*.png", f"{found}", "restore the folder")
    return pictures


def _one_by_one(folder: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    return np.stack([_read_picture(folder / f"im{index + 1}.png") for index in indices])


def _read_picture(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise DataError(path, "a picture", "none, or a damaged one", "restore the file")
    return np.asarray(picture, dtype=np.uint8)
