"""Repaint videos with a trained network: ``python -m fit.stylize IN [IN ...] OUT --checkpoint PATH``.

Reads, paints and writes frame after frame, so memory does not grow with length. Every frame keeps its time, the picture its
size, pixel shape and colour tags; a rotation is carried out. Sound is copied packet by packet where the container of OUT can
hold it, and otherwise encoded anew, which is then said.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import torch
from tqdm import tqdm

from datamodules.errors import DataError
from datamodules.frames import VideoReader, open_video
from fit.messages import explain, fail, nearest
from fit.stream import Paint, load_paint, repaint
from fit.timeline import Event, Frame, fitted_size, play
from fit.video import CONTAINERS, VideoWriter, container_of


class Parser(argparse.ArgumentParser):
    """Says each mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2; for an unknown option name the nearest known one."""
        unknown = re.search(r"unrecognized arguments: -*([\w-]*)", message)
        if unknown:
            instead = nearest(unknown[1], (option.lstrip("-") for action in self._actions for option in action.option_strings))
            message = f"there is no option {message.split()[2]}; {f'did you mean {instead}?' if instead else 'see --help'}"
        fail(message)


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="python -m fit.stylize",
        usage="%(prog)s IN [IN ...] OUT --checkpoint PATH [options]",
        description=(
            "Repaint a video, or several joined in order, in the style a checkpoint was trained for. Timing, size, pixel "
            "shape, colour tags and sound are kept. Several INs: frames are fitted into the size of the first; sound that "
            "differs in format is encoded anew."
        ),
        allow_abbrev=False,
        epilog="A file name that begins with a dash goes after a lone --, or is written ./-name.mp4.",
    )
    made.add_argument("files", nargs="+", type=Path, metavar="IN ... OUT", help=f"videos; OUT ends in {', '.join(CONTAINERS)}")
    made.add_argument("--checkpoint", required=True, type=Path, metavar="PATH", help="of a training run: runs/.../*.ckpt")
    made.add_argument("--start", default=Fraction(0), type=seconds, metavar="S", help="leave out what comes before (seconds)")
    made.add_argument("--end", type=seconds, metavar="S", help="leave out what comes from here on (seconds)")
    made.add_argument("--crf", type=int, metavar="N", help="quality: 0 is best, 51 worst (18; for .webm 24)")
    made.add_argument("--batch", default=1, type=int, metavar="N", help="frames painted at once (1); more may suit a GPU")
    made.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... (a GPU where there is one)")
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 130 when it was interrupted.

    Raises:
        SystemExit: status 2 and one line on standard error for a mistake, which leaves nothing behind.
    """
    options = parser()
    given = options.parse_intermixed_args(files_first(sys.argv[1:] if args is None else args, options))
    *inputs, output = given.files
    if problems := list(complaints(inputs, output, given)):
        fail("; ".join(problems))
    device = given.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with ExitStack() as stack:
            # Everything that can be refused is looked at before the network is loaded and anything is written.
            readers = [stack.enter_context(open_video(path)) for path in inputs]
            paint = load_paint(given.checkpoint, device)
            cut = (given.start, given.end)
            print(*stylize(readers, output, paint, cut, given.crf, given.batch, device, progress=True), sep="\n")
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except torch.OutOfMemoryError:
        fail("the frames do not fit into the memory of the device; try --batch 1, or --device cpu")
    except Exception as error:
        if line := explain(error):
            fail(line)
        raise
    return 0


def stylize(
    readers: Sequence[VideoReader],
    output: Path,
    paint: Paint,
    cut: tuple[Fraction, Fraction | None] = (Fraction(0), None),
    crf: int | None = None,
    batch: int = 1,
    device: str = "cpu",
    progress: bool = False,
) -> list[str]:
    """Paint videos into one file.

    Args:
        readers: the videos, opened, in order.
        output: the file; its extension chooses the format.
        paint: repaints ``(N, 3, H, W)`` in [-1, 1].
        cut: first second to keep, and the first not to keep or None.
        crf: quality of the video encoder; None is the usual one.
        batch: frames painted at once.
        device: where the frames are painted.
        progress: whether to show a bar on standard error.

    Returns:
        What a person wants to know about the result, line by line.

    Raises:
        DataError: an input turns out to be damaged, nothing is left of it after the cut, or the output cannot be written.
    """
    began = time.monotonic()
    with VideoWriter(output, readers, crf) as writer:
        events = repaint(play(readers, writer.target, *cut), paint, batch, device)
        for event in _with_bar(events, _expected(readers, cut)) if progress else events:
            writer.write(event)
        if not writer.frames:
            raise DataError(readers[0].path, "frames between --start and --end", "none", "choose another cut")
    speed = writer.frames / max(time.monotonic() - began, 1e-9)
    frames = f"{writer.frames} frame{'s' * (writer.frames != 1)}"
    return [f"{output}: {frames}, {float(writer.seconds):.2f} s, at {speed:.1f} frames/s", *_notes(readers, writer, cut)]


def _notes(readers: Sequence[VideoReader], writer: VideoWriter, cut: tuple[Fraction, Fraction | None]) -> Iterator[str]:
    """What happened to sound, sizes and further streams."""
    for number, note in enumerate(writer.sound, 1):
        yield f"sound {number}: {note}" + (", cut at whole packets" if any(cut) else "")
    if readers[0].audio and not writer.sound:
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


def _expected(readers: Sequence[VideoReader], cut: tuple[Fraction, Fraction | None]) -> int | None:
    """About how many frames there will be; None when a file does not say."""
    total, begins = 0, Fraction(0)
    for info in (reader.info for reader in readers):
        if info.frames is None or info.duration is None:
            return None
        kept = min(begins + info.duration, cut[1] or begins + info.duration) - max(begins, cut[0])
        total += round(info.frames * max(Fraction(0), kept) / info.duration)
        begins += info.duration
    return total


def _with_bar(events: Iterable[Event], total: int | None) -> Iterator[Event]:
    """Show frames done, speed and time left; where nobody looks on, now and then only, and nothing at all on short runs."""
    pause = 0.1 if sys.stderr.isatty() else 10.0
    with tqdm(total=total, unit="frame", desc="painting", leave=False, mininterval=pause, delay=pause) as bar:
        for event in events:
            yield event
            bar.update(isinstance(event, Frame))


def complaints(inputs: Sequence[Path], output: Path, given: argparse.Namespace) -> Iterator[str]:
    """All that is wrong with the command line, before any file is opened."""
    if not inputs:
        yield f"expected at least one IN before OUT, got {output} alone"
    if given.end is not None and given.end <= given.start:
        yield f"--end must come after --start, got {float(given.end):g} and {float(given.start):g}"
    if given.batch < 1:
        yield f"--batch must be at least 1, got {given.batch}"
    if given.crf is not None and not 0 <= given.crf <= 51:
        yield f"--crf must lie in 0 .. 51, got {given.crf}"
    if any(path.exists() and output.exists() and path.samefile(output) for path in inputs):
        yield f"OUT is also an IN: {output}; choose another name"
    if output.is_dir():
        yield f"OUT must be a file, {output} is a folder"
    try:
        container_of(output)
    except DataError as error:
        yield str(error)
    try:
        torch.empty(0, device=given.device)
    except (RuntimeError, AssertionError) as error:
        yield f"--device {given.device} cannot be used: {str(error).splitlines()[0]}"


def files_first(words: Sequence[str], options: Parser) -> list[str]:
    """Write ``-name.mp4`` as ``./-name.mp4`` where such a file is there, so that it is not taken for an option."""
    known = {option for action in options._actions for option in action.option_strings}
    return [f"./{w}" if w.startswith("-") and w not in known and Path(w).is_file() else w for w in words]


def seconds(text: str) -> Fraction:
    """A time on the command line."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, got {text}")
    return value


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up then too
    sys.exit(main())
