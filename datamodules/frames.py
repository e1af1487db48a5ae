"""Frames of a video file in order, each with its exact time: the one sequential reader of the project (PyAV).

    with open_video("clip.mp4") as video:
        for frame in video:
            frame.time, frame.rgb       # Fraction of seconds; (H, W, 3) uint8, upright

Frames come as a player shows them: turned upright, in the colours the file's tags mean (see ``pictures``). A file that is
damaged, as far as the container or the decoder can tell, raises ``DataError``, at the latest where the damage is.
``jump`` begins anew at a key frame.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame as Picture
from av.video.stream import VideoStream

from datamodules.errors import DataError
from datamodules.pictures import Colour, Orientation, Pixels, RgbConverter, is_transparent
from datamodules.truncation import check_whole


@dataclass(frozen=True)
class VideoInfo:
    """What is known before the frames are read. Sizes are of the upright picture.

    Attributes:
        width: in pixels.
        height: in pixels.
        pixel_aspect: width of a shown pixel over its height.
        time_base: seconds per tick of the file's clock.
        rate: frames per second, a guess; None when the file gives no believable one.
        start: seconds on the file's clock where its picture or its sound begins, whichever is first.
        frames: number of frames, as declared or by duration and rate; None when unknown.
        duration: of the video stream in seconds; None when unknown.
        pixel_format: FFmpeg's name of it.
        colour: as tagged.
        stored: how stored pixels were turned to be upright.
        interlaced: whether its first picture holds two fields, taken one after the other.
        transparent: whether one sees through its first picture anywhere.
    """

    width: int
    height: int
    pixel_aspect: Fraction
    time_base: Fraction
    rate: Fraction | None
    start: Fraction
    frames: int | None
    duration: Fraction | None
    pixel_format: str
    colour: Colour
    stored: Orientation
    interlaced: bool
    transparent: bool


@dataclass(frozen=True)
class VideoFrame:
    """One decoded frame; ``rgb`` converts when asked.

    Attributes:
        time: seconds on the file's clock, exact.
        duration: seconds, above 0; a guess where the file does not say.
        picture: as decoded, not turned upright.
        stored: how stored pixels are turned to be upright.
    """

    time: Fraction
    duration: Fraction
    picture: Picture
    stored: Orientation
    converter: RgbConverter

    @property
    def rgb(self) -> Pixels:
        """The upright picture, ``(H, W, 3)`` in [0, 255]."""
        return self.stored.apply(self.converter(self.picture))


Event: TypeAlias = "VideoFrame | Packet[AudioStream]"
# Seconds before a key frame to look for it from: containers search by times of their own, some of them coarsely.
LOOK_BACK = (Fraction(0), Fraction(1, 2), Fraction(3), Fraction(30))


def open_video(path: str | Path, stream: Literal["first", "best"] = "first", threads: int = 0) -> "VideoReader":
    """Open a video file; use it as a context manager and iterate once.

    Args:
        path: of the file.
        stream: where there are several video streams, the first, as players show, or the one FFmpeg (and so Decord)
            calls best: the default one of the highest bit rate.
        threads: of the decoder; 0 lets it choose.

    Raises:
        DataError: the file is missing, empty, cut off, not a video, or its first frame cannot be decoded.
    """
    return VideoReader(Path(path), stream, threads)


class VideoReader:
    """A video file opened for one pass.

    Attributes:
        path: of the file.
        info: see ``VideoInfo``.
        audio: its sound streams that can be decoded.
        other: how many streams there are beside the video stream read and ``audio``.
        container, codec: FFmpeg's names of them.
        arrived: when the latest packet was read, on ``time.perf_counter``'s clock.
    """

    def __init__(self, path: Path | str, stream: Literal["first", "best"] = "first", threads: int = 0) -> None:
        self.path = path
        self.arrived = 0.0
        self._container = self._open()
        try:
            self._video = self._choose(stream)
            self._video.codec_context.thread_count = threads
            self.container: str = self._container.format.name
            self.codec: str = self._video.codec_context.name
            self.audio: tuple[AudioStream, ...] = tuple(s for s in self._container.streams.audio if s.codec_context)
            self.other = len(self._container.streams) - 1 - len(self.audio)
            self._converter = RgbConverter()
            self._stored: Orientation | None = None
            self._rotation = 0
            rates = (self._video.average_rate, self._video.guessed_rate, self._video.base_rate)
            self._rate = next((rate for rate in rates if _believable(rate)), None)
            self._gap = 1 / self._rate if self._rate else self._base
            self._time: Fraction | None = None
            self._events = self._read(self._container.demux(self._video, *self.audio))
            self._ahead, first = self._until_first_frame()
            self.info = self._describe(first)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames in order of time; once.

        Raises:
            DataError: the file turns out to be damaged.
        """
        return (event for event in self.events() if isinstance(event, VideoFrame))

    def events(self) -> Iterator[Event]:
        """Frames, and the packets of ``audio`` as they lie between them in the file; once.

        Raises:
            DataError: the file turns out to be damaged.
        """
        while self._ahead:
            yield self._ahead.pop(0)
        yield from self._events

    def jump(self, time: Fraction) -> bool:
        """Begin anew with the key frame shown at exactly this time, without sound.

        Pictures shown before it but stored after it need what was not decoded; the decoder leaves them out.

        Args:
            time: seconds on the file's clock, as given by an earlier pass.

        Returns:
            Whether it was found; if not, nothing can be read but by opening the file again.
        """
        ticks = time / self._base
        if ticks.denominator != 1:
            return False
        for back in LOOK_BACK:
            packets = self._find(int(ticks), int(ticks) - round(back / self._base))
            if packets is not None:
                self._ahead, self._time = [], None
                self._events = self._read(packets)
                return True
        return False

    def _find(self, ticks: int, start: int) -> Iterable[Any] | None:
        """Packets from the key frame shown at ``ticks`` on, searched from ``start``; None if the search begins behind it."""
        try:
            self._container.seek(start, stream=self._video)
            packets = iter(self._container.demux(self._video))
            for packet in packets:
                found = self._ticks(packet)
                if packet.is_keyframe and found == ticks:
                    return chain([packet], packets)
                if packet.is_keyframe and (found is None or found > ticks):
                    return None
        except (av.FFmpegError, OSError):
            pass  # a file in which this search is not possible
        return None

    def _open(self) -> Any:
        return _open_container(Path(self.path))

    def _choose(self, which: Literal["first", "best"]) -> VideoStream:
        """The video stream to read; a cover picture of a music file is none."""
        streams = [s for s in self._container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise DataError(self.path, "a video stream", "a file without one", "choose a video file")
        best = self._container.streams.best("video")
        wanted = best.index if which == "best" and best is not None else streams[0].index
        chosen: VideoStream = next((stream for stream in streams if stream.index == wanted), streams[0])
        if chosen.codec_context is None:
            raise DataError(self.path, "a known video codec", "one without a decoder here", "convert the file with ffmpeg")
        # Slice threads only: with frame threads the decoder reports some errors late, and PyAV drops those.
        chosen.thread_type = "SLICE"
        return chosen

    def _ticks(self, what: Any) -> int | None:
        """When a packet or picture is shown, on the stream's clock."""
        # AVI stores no times: frames are shown one per tick in the order they are decoded, whatever guess pts holds.
        ticks: int | None = what.dts if self.container == "avi" else what.pts
        return ticks

    def _read(self, packets: Iterable[Any]) -> Iterator[Event]:
        """Decode, turning every sign of damage into a DataError."""
        try:
            for packet in packets:
                self.arrived = time.perf_counter()
                if packet.is_corrupt:
                    raise self._damaged("a packet that is cut off")
                if packet.stream.index != self._video.index:
                    if packet.size:
                        yield packet
                    continue
                for picture in self._pictures(packet):
                    yield self._frame(picture)
        except (av.FFmpegError, OSError) as error:
            raise self._damaged(getattr(error, "strerror", None) or str(error)) from error

    def _pictures(self, packet: Any) -> Iterator[Picture]:
        """What a packet of the video stream decodes to; an empty one stands for the end."""
        for picture in self._video.decode(packet if packet.size else None):
            if picture.is_corrupt:
                raise self._damaged("a frame that does not decode fully")
            yield picture

    def _frame(self, picture: Picture) -> VideoFrame:
        """Give a picture its time."""
        base, ticks = self._base, self._ticks(picture)
        # Where the declared rate is absurd (FLV often says 1000), so are the durations that follow from it.
        duration = picture.duration * base if _believable(self._video.average_rate) else Fraction(0)
        follows = Fraction(0) if self._time is None else self._time + self._gap
        shown = follows if ticks is None else ticks * base
        if self._time is not None and shown <= self._time:
            raise self._damaged(f"times that run backwards ({float(shown):.3f} s after {float(self._time):.3f} s)")
        if self._time is not None:
            self._gap = shown - self._time
        self._time = shown
        if self._stored is None or picture.rotation != self._rotation:
            self._stored, self._rotation = Orientation.of(picture), picture.rotation
        return VideoFrame(shown, duration or self._gap, picture, self._stored, self._converter)

    def _until_first_frame(self) -> tuple[list[Event], VideoFrame]:
        """Read up to the first frame, which alone tells the orientation and the colours."""
        ahead: list[Event] = []
        for event in self._events:
            ahead.append(event)
            if isinstance(event, VideoFrame):
                return ahead, event
        raise self._damaged("no frame at all")

    @property
    def _base(self) -> Fraction:
        return self._video.time_base or Fraction(1, av.time_base)

    def _describe(self, first: VideoFrame) -> VideoInfo:
        video, picture, stored = self._video, first.picture, first.stored
        aspect = video.sample_aspect_ratio or Fraction(1)
        width, height = picture.width, picture.height
        if stored.swap:
            width, height, aspect = height, width, 1 / aspect
        duration = video.duration * self._base if video.duration else _seconds(self._container.duration)
        frames = video.frames or (round(duration * self._rate) if duration and self._rate else None)
        starts = [s.start_time * s.time_base for s in self.audio if s.start_time is not None and s.time_base]
        return VideoInfo(
            width=width,
            height=height,
            pixel_aspect=aspect,
            time_base=self._base,
            rate=self._rate,
            start=min(first.time, *starts) if starts else first.time,
            frames=frames,
            duration=duration,
            pixel_format=picture.format.name,
            colour=Colour.of(picture),
            stored=stored,
            interlaced=bool(picture.interlaced_frame),
            transparent=is_transparent(picture),
        )

    def _damaged(self, got: str) -> DataError:
        where = "at its beginning" if self._time is None else f"after {float(self._time):.2f} s"
        return DataError(self.path, "a video that decodes to its end", f"{got} {where}", "it is damaged; repair or replace it")


def _believable(rate: Fraction | None) -> bool:
    """Whether frames per second can be true."""
    return rate is not None and 0 < rate <= 480


def _seconds(microseconds: int | None) -> Fraction | None:
    return None if microseconds is None else Fraction(microseconds, av.time_base)


def _open_container(path: Path) -> Any:
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing there"
        raise DataError(path, "a video file", got, "check the path")
    if path.stat().st_size == 0:
        raise DataError(path, "a video file", "an empty file", "copy it again")
    check_whole(path)
    try:
        # An absolute path: FFmpeg would take "a:b.mp4" for a protocol. Tags in odd encodings are no reason to refuse.
        return av.open(str(path.absolute()), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(path, "a video file", f"one that does not open ({reason})", "repair or replace it") from error
