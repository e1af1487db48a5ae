"""Video that comes by itself: from standard input, or from an address of the network. It cannot be looked at beforehand.

Where a file would be called damaged, such a stream has ended: what came until then counts.
"""

import os
import re
import select
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.video.frame import VideoFrame as Picture

from datamodules.errors import DataError
from datamodules.frames import Event, VideoReader

Place: TypeAlias = Path | str  # a file, or "-" for standard input or output, or an address such as udp://127.0.0.1:5000
STANDARD = "-"
PATIENCE = 10.0  # seconds without a byte after which a stream of the network is lost
OFTEN = 0.1  # seconds between two looks whether standard input is still wanted


@dataclass(frozen=True)
class RawFormat:
    """What raw frames do not say of themselves: height and width in pixels, frames per second. Pixels are rgb24."""

    size: tuple[int, int]
    rate: Fraction


def place(text: str) -> Place:
    """An IN or OUT of the command line."""
    return text if text == STANDARD or re.match(r"[a-z][a-z0-9+.-]+://", text) else Path(text)


class LiveReader(VideoReader):
    """Reads a stream as it comes; interface as of files.

    Args:
        place: "-" or an address.
        raw: of raw frames on standard input; None where a container tells.

    Attributes:
        lost: how it came to its end, if not by itself, as one line.

    Raises:
        DataError: nothing comes, or no video.
    """

    def __init__(self, place: str, raw: RawFormat | None = None) -> None:
        self.lost: str | None = None
        self._pipe = Pipe(0) if place == STANDARD else None
        self._raw = raw if self._pipe else None
        super().__init__("standard input" if self._pipe else place)

    def interrupt(self) -> None:
        """Let a thread that waits for more find the end instead; on the network that takes until the next byte, or its end."""
        if self._pipe:
            self._pipe.stopped = True

    def _open(self) -> Any:
        options = {}
        if self._raw:
            height, width = self._raw.size
            options = {"pixel_format": "rgb24", "video_size": f"{width}x{height}", "framerate": str(self._raw.rate)}
        try:
            return av.open(
                self._pipe or self.path,
                format="rawvideo" if self._raw else None,
                options=options,
                timeout=None if self._pipe else PATIENCE,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            self._pass_on()
            reason = getattr(error, "strerror", None) or str(error)
            hint = "say the --size of raw frames" if self._pipe else "check the address, and that something is sent there"
            raise DataError(self.path, "a video stream", f"one that does not open ({reason})", hint) from error

    def _read(self, packets: Iterable[Any]) -> Iterator[Event]:
        """Decode until the stream ends, in whatever way; with losses on the way where that is usual."""
        try:
            yield from super()._read(packets if self._pipe else self._whole(packets))
        except DataError as error:
            self._pass_on()
            if self._time is None:
                raise
            self.lost = f"{self.path}: lost, {error.got}; what was finished until then is kept"
        self._pass_on()

    def _pass_on(self) -> None:
        """Raise what PyAV would have swallowed."""
        if self._pipe and self._pipe.interrupted:
            raise KeyboardInterrupt

    def _whole(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Packets that arrived whole, from the first key frame on: a stream of the network is joined in its middle."""
        begun = False
        for packet in packets:
            begun = begun or (packet.stream.index == self._video.index and packet.is_keyframe)
            if begun and not packet.is_corrupt:
                yield packet

    def _pictures(self, packet: Any) -> Iterator[Picture]:
        """On the network packets get lost: what the decoder makes of the rest is shown."""
        if self._pipe:
            yield from super()._pictures(packet)
            return
        with suppress(av.InvalidDataError):
            yield from self._video.decode(packet if packet.size else None)


class Pipe:
    """What PyAV reads from: a file descriptor whose reading can be ended from another thread."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.stopped, self.interrupted = descriptor, False, False

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes as they are there; none at the end, or after Ctrl-C, which is noted, since PyAV swallows it."""
        try:
            while not self.stopped:
                if select.select([self.descriptor], [], [], OFTEN)[0]:
                    return os.read(self.descriptor, size)
        except KeyboardInterrupt:
            self.stopped = self.interrupted = True
        return b""
