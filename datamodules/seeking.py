"""Any frame of a video by PyAV: from the nearest key frame that was tried, decoding up to the exact time."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import DataError
from datamodules.frames import VideoFrame, VideoReader, open_video
from datamodules.videos import Video


class SeekingReader:
    """A video file kept open for jumps. Not to be passed to another process.

    Args:
        video: to read, with the key frames to begin at.

    Raises:
        DataError: it cannot be opened.
    """

    def __init__(self, video: Video) -> None:
        self.video = video
        self._file: VideoReader | None = None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """RGB frames ``(T, H, W, 3)``, upright.

        Args:
            numbers: of the frames, rising.

        Raises:
            DataError: a frame is not there, or not at the time it was.
        """
        frames: Iterator[tuple[int, VideoFrame]] = iter(())
        found, at = [], -1
        for number in numbers:
            entry = self.video.entry(number)
            if at < entry:
                frames = self.frames_from(entry)
            for at, frame in frames:
                if at == number:
                    found.append(frame.rgb)
                    break
        if len(found) < len(numbers):
            raise self._changed(numbers, f"{at + 1} frames")
        return np.stack(found)

    def frames_from(self, entry: int) -> Iterator[tuple[int, VideoFrame]]:
        """Frames and their numbers from a key frame on.

        Raises:
            DataError: a frame is not there, or not at the time it was.
        """
        for number, frame in enumerate(self._begin(entry), entry):
            if number >= self.video.frames or frame.time != self.video.time(number):
                raise self._changed([number], f"a frame at {float(frame.time):.3f} s")
            yield number, frame

    def _begin(self, entry: int) -> VideoReader:
        # At the first frame by opening anew: this works in every file that can be read at all.
        if self._file is None or entry == 0:
            self.close()
            self._file = open_video(self.video.path, stream="best", threads=1)
        if entry and not self._file.jump(self.video.time(entry)):
            self.close()
            raise self._changed([entry], "no way to it")
        return self._file

    def _changed(self, numbers: Sequence[int], got: str) -> DataError:
        return DataError(self.video.path, f"frames {list(numbers)}", got, "the file was changed; start again")
