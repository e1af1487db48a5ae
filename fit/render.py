"""Paint video files into one, with what a person wants to see meanwhile and to know afterwards."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from datamodules.errors import DataError
from datamodules.frames import VideoFrame, VideoInfo, VideoReader, open_video
from fit.stream import Paint, repaint
from fit.timeline import WHOLE, Cut, Frame, fitted_size, look_through, play
from fit.video import VideoWriter

T = TypeVar("T")


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator[list[VideoReader]]:
    """Readers of all files at once, so that one that does not open is known before the first is read."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_video(path)) for path in paths]


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
    paths: Sequence[Path],
    output: Path,
    paint: Paint,
    cut: Cut = WHOLE,
    frames: int | None = None,
    crf: int | None = None,
    batch: int = 1,
    device: str = "cpu",
) -> list[str]:
    """Paint video files into one.

    Args:
        paths: of the files, in order.
        output: the file to write; its extension chooses the format.
        paint: repaints ``(N, 3, H, W)`` in [-1, 1].
        cut: first second to keep, and the first not to keep or None.
        frames: how many there will be, for the progress bar; None when unknown.
        crf: quality of the video encoder; None is the usual one.
        batch: frames painted at once.
        device: where the frames are painted.

    Returns:
        What a person wants to know about the result, line by line.

    Raises:
        DataError: an input cannot be read to its end, or the output cannot be written.
    """
    began = time.monotonic()
    with opened(paths) as readers, VideoWriter(output, readers, crf) as writer:
        events = repaint(play(readers, writer.target, cut), paint, batch, device)
        for event in with_bar(events, "painting", frames):
            writer.write(event)
    speed = writer.frames / max(time.monotonic() - began, 1e-9)
    count = f"{writer.frames} frame{'s' * (writer.frames != 1)}"
    return [f"{output}: {count}, {float(writer.seconds):.2f} s, at {speed:.1f} frames/s", *notes(readers, writer, cut)]


def notes(readers: Sequence[VideoReader], writer: VideoWriter, cut: Cut) -> Iterator[str]:
    """What happened to sound, sizes and further streams."""
    for number, note in enumerate(writer.sound, 1):
        yield f"sound {number}: {note}" + (", cut at whole packets" if any(cut) else "")
    if not writer.sound and any(reader.audio for reader in readers):
        yield f"sound: left out, {writer.path.suffix} holds none"
    whole = (writer.target.height, writer.target.width)
    for reader in readers:
        size = (reader.info.height, reader.info.width)
        fitted = fitted_size(size, reader.info, writer.target)
        if fitted != size or size != whole:
            bars = "" if fitted == whole else f", in black bars to {whole[1]}x{whole[0]}"
            yield f"{reader.path}: resized from {size[1]}x{size[0]} to {fitted[1]}x{fitted[0]}{bars}"
        if reader.other:
            yield f"{reader.path}: left out {reader.other} more stream{'s' * (reader.other != 1)} (video, subtitles or data)"


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
