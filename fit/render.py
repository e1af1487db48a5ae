"""Paint videos into one, with what a person wants to see meanwhile and to know afterwards."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import torch
from av.video.format import VideoFormat
from tqdm import tqdm

from datamodules.errors import DataError
from datamodules.frames import VideoFrame, VideoInfo, VideoReader, open_video
from fit.interruption import once
from fit.live import LiveReader, Place, RawFormat
from fit.pace import Pace
from fit.pipeline import ahead
from fit.planes import in_planes
from fit.raw import RawWriter
from fit.stream import Paint, repaint
from fit.timeline import WHOLE, Cut, Event, Frame, fitted_size, look_through, play
from fit.video import VideoWriter

T = TypeVar("T")
TOGETHER, MOST_TOGETHER = 2**19, 8  # pixels that keep operators busy for longer than they take to start, and frames at most
READ_AHEAD = 4  # frames and packets of sound, beside two batches
MOST_PAINTERS = 4
INTERRUPTED = 130  # status of a command that Ctrl-C ended


class EndedEarly(Exception):
    """A stream that was lost or left: why, and what to say of the part of the output that is finished.

    Args:
        why: one line.
        said: as ``render`` returns it.
        status: for the command to leave with.
    """

    def __init__(self, why: str, said: list[str], status: int) -> None:
        super().__init__(why)
        self.said, self.status = said, status


@contextmanager
def opened(places: Sequence[Place], raw: RawFormat | None = None) -> Iterator[list[VideoReader]]:
    """Readers of all inputs at once, so that one that does not open is known before the first is read."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(open_video(place) if isinstance(place, Path) else LiveReader(place, raw)) for place in places
        ]


def check(paths: Sequence[Path], cut: Cut = WHOLE) -> int:
    """Decode all there is to paint, and count it.

    Returns:
        The number of frames.

    Raises:
        DataError: a file is missing, damaged or no video, or nothing of it lies within the cut.
    """
    with opened(paths) as readers:
        expected = expected_frames([reader.info for reader in readers], cut)
        frames = sum(1 for _ in with_bar(look_through(readers, cut), "checking", expected))
    if not frames:
        raise DataError(paths[0], "frames between --start and --end", "none", "choose another cut")
    return frames


def render(
    places: Sequence[Place],
    output: Place,
    paint: Paint,
    cut: Cut = WHOLE,
    frames: int | None = None,
    crf: int | None = None,
    batch: int | None = 1,
    device: str = "cpu",
    latency: bool = False,
    raw: RawFormat | None = None,
) -> list[str]:
    """Paint videos into one.

    Decoding, painting and encoding overlap, unless every frame is wanted as soon as it can be had.

    Args:
        places: of the inputs, in order.
        output: the file to write, whose extension chooses the format; or "-" for raw frames to standard output.
        paint: repaints ``(N, 3, H, W)`` in [-1, 1]; where it is ``AnySize`` of a real-time network, frames that are stored as
            4:2:0 on both sides stay so.
        cut: first second to keep, and the first not to keep or None.
        frames: how many there will be, for the progress bar; None when unknown.
        crf: quality of the video encoder; None is the usual one.
        batch: frames painted at once; None is the usual number, see ``frames_together``, and of live inputs one.
        device: where the frames are painted.
        latency: finish every frame before the next one is decoded.
        raw: what raw frames on standard input are.

    Returns:
        What a person wants to know about the result, line by line.

    Raises:
        DataError: an input cannot be read to its end, or the output cannot be written.
        EndedEarly: a live input was lost, or interrupted; the output is finished.
        BrokenPipeError: nobody reads standard output any more.
    """
    began, pace = time.monotonic(), Pace()
    patient = nullcontext() if all(isinstance(place, Path) for place in places) else once()
    with patient, opened(places, raw) as readers, writer_to(output, readers, crf, latency) as writer:
        live = [reader for reader in readers if isinstance(reader, LiveReader)]
        planes = in_planes(paint, [reader.info for reader in readers], writer.target, writer.pixel_format)
        events = play(readers, writer.target, cut, planes=planes is not None)
        at_once = 1 if latency or live else frames_together((writer.target.height, writer.target.width), device)
        with painting(events, planes or paint, batch or at_once, device, latency, live) as painted:
            by_hand = write(with_bar(painted, "painting", frames), writer, readers, pace, bool(live))
    speed = writer.frames / max(time.monotonic() - began, 1e-9)
    count = f"{writer.frames} frame{'s' * (writer.frames != 1)}"
    said = [f"{writer.path}: {count}, {float(writer.seconds):.2f} s, at {speed:.1f} frames/s", *notes(readers, writer, cut)]
    said += [f"latency: {pace}, from its packet to its place in the output"] if latency and writer.frames else []
    if by_hand:
        raise EndedEarly("interrupted; what was finished until then is kept", said, INTERRUPTED)
    if lost := [reader.lost for reader in live if reader.lost]:
        raise EndedEarly("; ".join(lost), said, 1)
    return said


def writer_to(output: Place, readers: Sequence[VideoReader], crf: int | None, at_once: bool) -> VideoWriter | RawWriter:
    """What writes to a file or to standard output."""
    return VideoWriter(output, readers, crf, at_once) if isinstance(output, Path) else RawWriter(readers)


@contextmanager
def painting(
    events: Iterator[Event], paint: Paint, batch: int, device: str, one_by_one: bool, live: Sequence[LiveReader]
) -> Iterator[Iterator[Event]]:
    """The events repainted: a thread reads ahead and others paint, or the one who takes them does all, one by one."""
    if one_by_one:
        yield repaint(events, paint, batch, device)
        return
    with ExitStack() as stack:
        ready = stack.enter_context(ahead(events, READ_AHEAD + 2 * batch))
        for reader in live:  # left first: reading may wait for what never comes
            stack.callback(reader.interrupt)
        yield stack.enter_context(closing(repaint(ready, paint, batch, device, *painters(device))))


def frames_together(size: tuple[int, int], device: str) -> int:
    """How many frames of (height, width) are painted at once if nobody says: on a CPU several small ones, else one."""
    if torch.device(device).type != "cpu":
        return 1
    return min(max(1, TOGETHER // (size[0] * size[1])), MOST_TOGETHER)


def painters(device: str) -> tuple[int, int]:
    """How many threads paint, and with how many torch computes in each of them.

    Two keep a GPU busy. On a CPU single threads waste nothing in waiting for one another, but each holds a batch.
    """
    if torch.device(device).type != "cpu":
        return 2, 1
    cores = torch.get_num_threads()
    workers = min(cores, MOST_PAINTERS)
    return workers, cores // workers


def write(
    events: Iterable[Event], writer: VideoWriter | RawWriter, readers: Sequence[VideoReader], pace: Pace, may_be_left: bool
) -> bool:
    """Write the events, and measure how long after the latest packet of an input each frame is written.

    Returns:
        Whether a person ended it, where that ``may_be_left`` to them.
    """
    try:
        for event in events:
            writer.write(event)
            if isinstance(event, Frame):
                pace.add(time.perf_counter() - max(reader.arrived for reader in readers))
    except KeyboardInterrupt:
        if may_be_left and writer.frames:
            return True
        raise
    return False


def notes(readers: Sequence[VideoReader], writer: VideoWriter | RawWriter, cut: Cut) -> Iterator[str]:
    """What happened to sound, sizes and further streams, and what of pictures is not kept."""
    for number, note in enumerate(writer.sound, 1):
        yield f"sound {number}: {note}" + (", cut at whole packets" if any(cut) else "")
    if not writer.sound and any(reader.audio for reader in readers):
        yield f"sound: left out, {writer.path.suffix if isinstance(writer.path, Path) else 'raw video'} holds none"
    whole = (writer.target.height, writer.target.width)
    for reader in readers:
        size = (reader.info.height, reader.info.width)
        fitted = fitted_size(size, reader.info, writer.target)
        if fitted != size or size != whole:
            bars = "" if fitted == whole else f", in black bars to {whole[1]}x{whole[0]}"
            yield f"{reader.path}: resized from {size[1]}x{size[0]} to {fitted[1]}x{fitted[0]}{bars}"
        if reader.other:
            yield f"{reader.path}: left out {reader.other} more stream{'s' * (reader.other != 1)} (video, subtitles or data)"
        yield from (f"{reader.path}: {lost}" for lost in not_kept(reader.info))


def not_kept(info: VideoInfo) -> Iterator[str]:
    """What of a video's pictures has no place in painted ones."""
    bits = max(component.bits for component in VideoFormat(info.pixel_format).components)
    if bits > 8:
        yield f"painted in 8 bits a colour, of {bits}"
    if info.transparent:
        yield "transparency left out"
    if info.interlaced:
        yield "interlaced: painted as whole frames; where lines show, deinterlace it first"


def expected_frames(infos: Sequence[VideoInfo], cut: Cut) -> int | None:
    """About how many frames there will be, from what the files declare; None when one does not."""
    total, begins = 0, Fraction(0)
    for info in infos:
        if info.frames is None or not info.duration:
            return None
        kept = min(begins + info.duration, cut[1] or begins + info.duration) - max(begins, cut[0])
        total += round(info.frames * max(Fraction(0), kept) / info.duration)
        begins += info.duration
    return total


def with_bar(events: Iterable[T], doing: str, total: int | None) -> Iterator[T]:
    """Show frames done, speed and time left on standard error: at once on a terminal, elsewhere every ten seconds."""
    pause = 0.1 if sys.stderr.isatty() else 10.0
    with tqdm(total=total, unit="frame", desc=doing, leave=False, mininterval=pause, delay=pause) as bar:
        for event in events:
            yield event
            bar.update(isinstance(event, Frame | VideoFrame))
