"""Frames and sound into a video file, one after the other, with their exact times.

The file is written under a temporary name beside its place and renamed at the end; on any failure it is removed.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame as Picture
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from datamodules.errors import DataError
from datamodules.frames import VideoInfo, VideoReader
from datamodules.pictures import LIMITED, UNSAID, Colour, Pixels, storable_format, tagged, to_picture
from fit.audio import MUXER_OPTIONS, plan_tracks
from fit.timeline import Event, Frame, with_bars

# AV_CODEC_FLAG_FRAME_DURATION: frames tell the encoder how long they last. PyAV has no name for it.
FRAMES_HAVE_DURATIONS = 1 << 8
Options: TypeAlias = tuple[tuple[str, str], ...]
FINEST_CLOCK = 10_000_000  # ticks per second; a common clock finer than that is not worth its large numbers


@dataclass(frozen=True)
class Container:
    """How files of one extension are written.

    Attributes:
        muxer: FFmpeg's name of the format.
        video: of the video encoder.
        audio: of the sound encoder, where sound cannot be copied; None where the format holds no sound.
        crf: the usual quality of the encoder: 0 is lossless, more is smaller and worse; None where there is no such choice.
        options: of the video encoder.
        at_once: further ones, with which every frame is written as soon as it comes.
        square: whether only square pixels can be written: PyAV cannot tell WebM of others, and viewers of GIF ignore them.
    """

    muxer: str
    video: str
    audio: str | None
    crf: int | None
    options: Options = ()
    at_once: Options = ()
    square: bool = False


# At one crf "fast" needs about three times the time for files of nearly the same size and quality.
_H264 = ((("preset", "veryfast"),), (("tune", "zerolatency"),))
_VP9 = ((("deadline", "good"), ("cpu-used", "4"), ("row-mt", "1")), (("deadline", "realtime"), ("lag-in-frames", "0")))
CONTAINERS = {
    ".mp4": Container("mp4", "libx264", "aac", 18, *_H264),
    ".m4v": Container("mp4", "libx264", "aac", 18, *_H264),
    ".mov": Container("mov", "libx264", "aac", 18, *_H264),
    ".mkv": Container("matroska", "libx264", "aac", 18, *_H264),
    ".webm": Container("webm", "libvpx-vp9", "libopus", 24, *_VP9, square=True),
    ".gif": Container("gif", "gif", None, None, square=True),
}


def container_of(path: Path) -> Container:
    """What the extension of a file asks for.

    Raises:
        DataError: it is none of those known, or the file's folder is not there.
    """
    if not path.absolute().parent.is_dir():
        raise DataError(path, "a name in a folder that exists", "no such folder", "make it first")
    if path.suffix.lower() not in CONTAINERS:
        raise DataError(path, f"a name that ends in {', '.join(CONTAINERS)}", f"{path.suffix or 'no ending'!r}", "choose one")
    return CONTAINERS[path.suffix.lower()]


def temporary_of(path: Path) -> Path:
    """Where a file lies while it is written."""
    return path.absolute().with_name(f".{path.name[:60]}.{os.getpid()}.part")


def check_writable(path: Path) -> None:
    """Ask before any work whether a file can be written: by making it where it will lie, the only full answer.

    Raises:
        DataError: it cannot.
    """
    try:
        temporary_of(path).touch()
    except OSError as error:
        raise DataError(path, "a folder to write in", str(error.strerror), "choose another") from error
    temporary_of(path).unlink()


def target_of(container: Container, info: VideoInfo) -> VideoInfo:
    """What the output looks like when ``info`` comes first: the same, but stretched where pixels must be square."""
    if not container.square:
        return info
    return replace(info, width=max(1, round(info.width * info.pixel_aspect)), pixel_aspect=Fraction(1))


def clock_of(container: Container, infos: Sequence[VideoInfo]) -> Fraction:
    """Seconds per tick: such that the times of all inputs are whole numbers of ticks, if the container can count like that."""
    if container.muxer in ("matroska", "webm"):
        return Fraction(1, 1000)
    if container.muxer == "gif":
        return Fraction(1, 100)
    common = Fraction(1, lcm(*(info.time_base.denominator for info in infos)))
    return common if common.denominator <= FINEST_CLOCK else Fraction(1, infos[0].time_base.denominator)


class VideoWriter:
    """Writes one video file; a context manager, at whose end the file is in its place, or nothing is.

    Args:
        path: of the file; one that is there already is replaced at the end.
        readers: the inputs: the first gives size, pixel aspect and colour tags, all give sound.
        crf: quality of the video encoder, lower is better; None is the usual one of the container.
        at_once: write every frame as soon as it comes, at a little cost in size.

    Attributes:
        target: what is written: size, pixel aspect, colour tags.
        frames: written so far.
        seconds: how long they last.
        pixel_format: in which they are stored. Frames may come as planes where it is yuv420p.

    Raises:
        DataError: the extension is unknown, the folder is not there, or the container cannot hold these times.
    """

    def __init__(self, path: Path, readers: Sequence[VideoReader], crf: int | None = None, at_once: bool = False) -> None:
        container = container_of(path)
        self.path, self.frames, self.seconds = path, 0, Fraction(0)
        self.target = target_of(container, readers[0].info)
        self._clock = clock_of(container, [reader.info for reader in readers])
        self._ticks: int | None = None
        self._temporary = temporary_of(path)
        self._output = av.open(
            str(self._temporary), "w", format=container.muxer, container_options=self._muxer_options(container)
        )
        self._gif = container.muxer == "gif"
        self._stream = self._add_video(container, crf, at_once)
        self._tracks = plan_tracks(self._output, readers, container.audio)
        self._converter = VideoReformatter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
                os.replace(self._temporary, self.path)
        finally:
            with suppress(av.FFmpegError, OSError):  # if it is open still, it is given up, and why is on its way already
                self._output.close()
            self._temporary.unlink(missing_ok=True)

    @property
    def sound(self) -> list[str]:
        """For each sound stream, what is done with it, so far."""
        return [track.note for track in self._tracks]

    def write(self, event: Event) -> None:
        """Write a frame or a packet of sound. Frames come in order of time; sound may run ahead or behind a little."""
        if isinstance(event, Frame):
            # By map, since Python takes signals between two calls of its own: Ctrl-C there would lose what encode has given.
            all(map(self._output.mux, map(self._stream.encode, [self._picture(event)])))
            self.frames, self.seconds = self.frames + 1, event.time + event.duration
        elif self._tracks:
            self._mux(self._tracks[event.track].packets(event))

    def _mux(self, packets: Iterator["Packet[Any]"]) -> None:
        for packet in packets:
            with self._explained():
                self._output.mux(packet)

    def _finish(self) -> None:
        if not self.frames:
            raise DataError(self.path, "at least one frame to write", "none", "choose another input")
        self._output.mux(self._stream.encode(None))
        for track in self._tracks:
            self._mux(track.rest())
        with self._explained():
            self._output.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say which file it is where FFmpeg refuses to put in it what it had agreed to hold."""
        try:
            yield
        except (av.ArgumentError, av.InvalidDataError) as error:
            raise DataError(self.path, "sound that it can hold", str(error.strerror), "write .mkv") from error

    def _muxer_options(self, container: Container) -> dict[str, str]:
        options = dict(MUXER_OPTIONS)
        if container.muxer in ("mp4", "mov"):
            # The unit of the offset between picture and sound; usually milliseconds, which would round it.
            ticks = self._clock.denominator
            options["movie_timescale"] = str(ticks * -(-1000 // ticks))
        return options

    def _add_video(self, container: Container, crf: int | None, at_once: bool) -> VideoStream:
        info = self.target
        options = dict(container.options + container.at_once * at_once)
        if container.crf is not None:
            options["crf"] = str(container.crf if crf is None else crf)
        self._colour = info.colour.as_yuv(info.pixel_format)
        if container.video == "libx264" and self._colour == Colour(UNSAID, LIMITED, UNSAID, UNSAID):
            # x264 leaves out a limited range that stands alone; naming the kind of signal as well makes it write both.
            options["x264-params"] = "videoformat=component"
        stream = cast(VideoStream, self._output.add_stream(container.video, rate=info.rate or Fraction(25), options=options))
        stream.width, stream.height = info.width, info.height
        self.pixel_format = "pal8" if self._gif else storable_format(info.pixel_format, info.width, info.height)
        stream.pix_fmt = self.pixel_format
        context = stream.codec_context
        context.time_base, context.sample_aspect_ratio = self._clock, info.pixel_aspect
        context.flags |= FRAMES_HAVE_DURATIONS
        # With frames stored out of order, MP4 cannot say how long the last one of an uneven sequence lasts.
        context.max_b_frames = 0
        if not self._gif:
            context.colorspace, context.color_range = self._colour.matrix, self._colour.range
            context.color_primaries, context.color_trc = self._colour.primaries, self._colour.transfer
        return stream

    def _picture(self, frame: Frame) -> Picture:
        picture = self._stored(frame.pixels)
        ticks = round(frame.time / self._clock)
        if self._ticks is not None and ticks <= self._ticks:
            expected = f"frames at least {float(self._clock):.4g} s apart, as {self.path.suffix} counts time"
            raise DataError(self.path, expected, "frames closer than that", "write .mp4 or .mkv")
        self._ticks = ticks
        picture.pts, picture.time_base = ticks, self._clock
        picture.duration = max(1, round((frame.time + frame.duration) / self._clock) - ticks)
        return picture

    def _stored(self, pixels: Pixels) -> Picture:
        if pixels.ndim == 2:
            return tagged(Picture.from_ndarray(pixels, "yuv420p"), self._colour)
        rgb = with_bars(pixels, (self.target.height, self.target.width))
        if self._gif:
            return _paletted(Image.fromarray(rgb).quantize(256))
        return to_picture(rgb, self.pixel_format, self._colour, self._converter)


def _paletted(image: Image.Image) -> Picture:
    """A picture with a palette of its own, for GIF."""
    palette = np.zeros((256, 4), np.uint8)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    palette[: len(colours), 1:], palette[:, 0] = colours, 255
    # PyAV takes a pair here and forgets to say so.
    return Picture.from_ndarray((np.asarray(image), palette), "pal8")  # type: ignore[arg-type]
