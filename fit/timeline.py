"""Several videos as one: their frames and sound packets on one clock that begins at 0.

Each file's own clock is shifted as a whole, so that sound keeps its place under the picture, and each begins where the one
before has ended, picture and sound. Frames of another size are resized to fit inside the picture that is to be made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias, cast

import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from PIL import Image

from datamodules.frames import VideoFrame, VideoInfo, VideoReader
from datamodules.pictures import Colour, Orientation, Pixels, in_planes_of, to_picture

# Once the picture is this far past the end of a cut, sound that has not got there will not come: files interleave closer.
SOUND_LAGS = Fraction(10)
Cut: TypeAlias = tuple[Fraction, Fraction | None]
WHOLE: Cut = (Fraction(0), None)


@dataclass(frozen=True)
class Frame:
    """One frame, upright: ``time`` and ``duration`` in seconds, ``pixels`` in [0, 255].

    Pixels are RGB ``(H, W, 3)``, or planes ``(3 H / 2, W)`` as 4:2:0 video stores them (I420): luma, then the blue and the red
    difference at half size.
    """

    time: Fraction
    duration: Fraction
    pixels: Pixels


@dataclass(frozen=True)
class Sound:
    """A packet of the ``track``-th sound stream; adding ``shift`` seconds to its times puts it on the common clock."""

    track: int
    packet: "Packet[AudioStream]"
    shift: Fraction


Event: TypeAlias = Frame | Sound


def play(readers: Sequence[VideoReader], target: VideoInfo, cut: Cut = WHOLE, planes: bool = False) -> Iterator[Event]:
    """Frames and sound of all files in order, cut to ``start <= time < end``; ``start`` becomes 0.

    Frames are cut exactly; sound in whole packets, those that begin within the cut.

    Args:
        readers: the files; each is read once.
        target: inside whose picture all frames are fitted.
        cut: start and end in seconds from the beginning of the first file; None is the end of the last.
        planes: give frames as planes, in the colours of ``target``, whose size must be even.
    """
    for reader, event, shift in _on_one_clock(readers, cut):
        if isinstance(event, VideoFrame):
            pixels = to_planes(event, reader.info, target) if planes else fit_inside(event.rgb, reader.info, target)
            yield Frame(event.time + shift, event.duration, pixels)
        else:
            yield Sound([stream.index for stream in reader.audio].index(event.stream.index), event, shift)


def look_through(readers: Sequence[VideoReader], cut: Cut = WHOLE) -> Iterator[VideoFrame]:
    """The frames ``play`` would give, as decoded: to count them, and to meet any damage, at little cost."""
    return (event for _, event, _ in _on_one_clock(readers, cut) if isinstance(event, VideoFrame))


def _on_one_clock(
    readers: Sequence[VideoReader], cut: Cut
) -> "Iterator[tuple[VideoReader, VideoFrame | Packet[AudioStream], Fraction]]":
    """What lies within the cut, with what to add to its times to put it on the common clock."""
    (start, end), begins = cut, Fraction(0)
    for reader in readers:
        shift = begins - max(Fraction(0), reader.info.start)
        late: set[int] = set()
        for event in reader.events():
            stream, time, duration = _when(event, begins - shift)
            begins = max(begins, time + shift + duration)
            if end is not None and time + shift >= end:
                late.add(stream)
                if len(late) > len(reader.audio) or (stream < 0 and time + shift >= end + SOUND_LAGS):
                    return
            elif time + shift >= start or not start:  # sound may begin before 0: what a decoder needs to get going
                yield reader, event, shift - start


def _when(event: "VideoFrame | Packet[AudioStream]", missing: Fraction) -> tuple[int, Fraction, Fraction]:
    """The stream (-1 is the picture), time and duration of an event, in seconds on its file's clock."""
    if isinstance(event, VideoFrame):
        return -1, event.time, event.duration
    ticks = event.dts if event.pts is None else event.pts
    time = missing if ticks is None else ticks * event.time_base
    return event.stream.index, time, (event.duration or 0) * event.time_base


def fitted_size(size: tuple[int, int], own: VideoInfo, target: VideoInfo) -> tuple[int, int]:
    """Height and width to which frames of ``size`` of the video ``own`` are resized to fit inside the picture of ``target``.

    Shapes are kept as seen: pixels of either may be oblong.
    """
    if size == (target.height, target.width) and own.pixel_aspect == target.pixel_aspect:
        return size
    height, width = size[0], size[1] * own.pixel_aspect / target.pixel_aspect
    scale = min(target.height / Fraction(height), target.width / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def fits_unchanged(size: tuple[int, int], stored: Orientation, own: VideoInfo, target: VideoInfo) -> bool:
    """Whether frames of ``size`` as stored in the video ``own`` fill the picture of ``target``, neither turned nor resized."""
    return stored == Orientation() and size == fitted_size(size, own, target) == (target.height, target.width)


def fit_inside(rgb: Pixels, own: VideoInfo, target: VideoInfo) -> Pixels:
    """Resize a frame of the video ``own`` to ``fitted_size``."""
    height, width = fitted_size(rgb.shape[:2], own, target)
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def with_bars(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """Put a frame ``(H, W, 3)`` that is smaller than ``size`` (height, width) in its middle, on black."""
    height, width = size
    if rgb.shape[:2] == size:
        return rgb
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - rgb.shape[0]) // 2, (width - rgb.shape[1]) // 2
    canvas[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
    return canvas


def to_planes(frame: VideoFrame, own: VideoInfo, target: VideoInfo) -> Pixels:
    """A frame of the video ``own`` as planes: as it is stored, where that is so, else by way of RGB."""
    picture = frame.picture
    fits = fits_unchanged((picture.height, picture.width), frame.stored, own, target)
    if fits and in_planes_of(picture.format.name, Colour.of(picture), target.colour):
        return cast(Pixels, picture.to_ndarray())
    rgb = with_bars(fit_inside(frame.rgb, own, target), (target.height, target.width))
    return cast(Pixels, to_picture(rgb, "yuv420p", target.colour, VideoReformatter()).to_ndarray())
