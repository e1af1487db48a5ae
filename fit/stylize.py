"""Repaint videos with a trained network: ``python -m fit.stylize IN [IN ...] OUT --checkpoint PATH``.

Reads, paints and writes at the same time, a few frames apart, so memory does not grow with length. Every frame keeps its
time, the picture its size, pixel shape and colour tags; a rotation is carried out. Sound is copied packet by packet where the
container of OUT can hold it, and otherwise encoded anew, which is then said. IN may be a stream, - or an address, and OUT -.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import torch

from datamodules.errors import DataError
from fit.allocation import keep_memory
from fit.arguments import Parser, at_least
from fit.hardware import usable
from fit.live import STANDARD, Place, RawFormat, place
from fit.messages import explain, fail
from fit.onnx_file import is_onnx
from fit.render import INTERRUPTED, EndedEarly, check, painters, render
from fit.stream import Paint, load_paint
from fit.tiles import load_tiled
from fit.video import CONTAINERS, check_writable, container_of

USUAL_RATE = Fraction(25)  # of raw frames, as FFmpeg has it


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="python -m fit.stylize",
        usage="%(prog)s IN [IN ...] OUT --checkpoint PATH [options]",
        description=(
            "Repaint a video, or several joined in order, in the style a checkpoint was trained for. Timing, size, pixel "
            "shape, colour tags and sound are kept. Several INs: frames are fitted into the size of the first; sound that "
            "differs in format is encoded anew. IN may be - (standard input) or an address such as udp://127.0.0.1:5000; "
            "OUT may be - (raw rgb24 frames to standard output)."
        ),
        allow_abbrev=False,
        epilog="A file name that begins with a dash goes after a lone --, or is written ./-name.mp4.",
    )
    made.add_argument("files", nargs="+", type=place, metavar="IN ... OUT", help=f"videos; OUT ends in {', '.join(CONTAINERS)}")
    made.add_argument("--checkpoint", required=True, type=Path, metavar="PATH", help="of a run: runs/.../*.ckpt; or .onnx")
    made.add_argument("--start", default=Fraction(0), type=seconds, metavar="S", help="leave out what comes before (seconds)")
    made.add_argument("--end", type=seconds, metavar="S", help="leave out what comes from here on (seconds)")
    made.add_argument("--crf", type=int, metavar="N", help="quality: 0 is best, 51 worst (18; for .webm 24)")
    at_once = "frames painted at once (on a CPU several small ones, else 1); more may suit a GPU"
    made.add_argument("--batch", type=int, metavar="N", help=at_once)
    made.add_argument(
        "--tile", type=at_least(1), metavar="N", help="paint in squares of N pixels: frames of any size in little memory"
    )
    made.add_argument(
        "--latency", action="store_true", help="finish every frame before the next is decoded, and say how long it takes"
    )
    made.add_argument("--compile", action="store_true", help="translate the network first (half a minute): for small frames")
    made.add_argument("--no-check", action="store_true", help="do not decode files to their end before painting them")
    made.add_argument("--size", type=width_and_height, metavar="WxH", help="of raw rgb24 frames on standard input")
    made.add_argument("--fps", type=rate, metavar="R", help="their frames per second, such as 30000/1001 (25)")
    made.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... (a GPU where there is one)")
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 130 when it was interrupted.

    Raises:
        SystemExit: one line on standard error, and status 2 for a mistake, which leaves nothing behind; or 1 where a stream
            broke off, of which the output keeps what was finished.
    """
    options = parser()
    given = options.parse_intermixed_args(files_first(sys.argv[1:] if args is None else args, options))
    *inputs, output = given.files
    if problems := list(complaints(inputs, output, given)):
        fail("; ".join(problems))
    said_to = sys.stderr if output == STANDARD else sys.stdout
    try:
        print(*stylize(inputs, output, given, usable(given.device)), sep="\n", file=said_to)
    except EndedEarly as early:
        print(*early.said, sep="\n", file=said_to)
        if early.status != INTERRUPTED:
            fail(early, early.status)
        print(early, file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        fail("standard output: nobody reads it any more; it has what was written until then", 1)
    except torch.OutOfMemoryError:
        fail("the frames do not fit into the memory of the device; try --batch 1, --tile 512, or --device cpu")
    except Exception as error:
        if line := explain(error):
            fail(line)
        raise
    return 0


def stylize(inputs: Sequence[Place], output: Place, given: argparse.Namespace, device: str) -> list[str]:
    """Check, load and paint.

    Returns:
        See ``render``, whose errors it raises, too.
    """
    cut, frames = (given.start, given.end), None
    files = [path for path in inputs if isinstance(path, Path)]
    if files == list(inputs) and not given.no_check:
        # Inputs are read to their end first: better to hear of damage now than after hours of painting.
        frames = check(files, cut)
    raw = given.size and RawFormat(given.size, given.fps or USUAL_RATE)
    # A last batch of fewer frames would be compiled anew; and who asks for tiles is short of memory.
    batch = 1 if given.batch is None and (given.compile or given.tile) else given.batch
    return render(inputs, output, network(given, device), cut, frames, given.crf, batch, device, given.latency, raw)


def network(given: argparse.Namespace, device: str) -> Paint:
    """What paints."""
    if given.tile:
        return load_tiled(given.checkpoint, device, given.tile)
    return load_paint(given.checkpoint, device, None if given.latency else painters(device)[1], given.compile)


def complaints(inputs: Sequence[Place], output: Place, given: argparse.Namespace) -> Iterator[str]:
    """All that is wrong with the command line, before any file is opened."""
    if not inputs:
        yield f"expected at least one IN before OUT, got {output} alone"
    if given.end is not None and given.end <= given.start:
        yield f"--end must come after --start, got {float(given.end):g} and {float(given.start):g}"
    if given.batch is not None and given.batch < 1:
        yield f"--batch must be at least 1, got {given.batch}"
    if given.latency and (given.batch or 1) > 1:
        yield f"--latency paints frame by frame, got --batch {given.batch}; leave one of them out"
    if given.tile and is_onnx(given.checkpoint):
        yield f"--tile needs a checkpoint, got {given.checkpoint}; leave --tile out, or give the one it was exported from"
    if given.compile and (given.tile or is_onnx(given.checkpoint)):
        yield "--compile is for whole frames and checkpoints; leave it out with --tile and with an .onnx file"
    if given.crf is not None and not 0 <= given.crf <= 51:
        yield f"--crf must lie in 0 .. 51, got {given.crf}"
    if inputs.count(STANDARD) > 1:
        yield f"standard input can be read once, got {inputs.count(STANDARD)} times -"
    if given.size and STANDARD not in inputs:
        yield "--size is of raw frames on standard input; give - as IN, or leave it out"
    if given.fps and not given.size:
        yield "--fps is of raw frames on standard input, and needs their --size; containers know their own"
    yield from complaints_of_output(inputs, output, given)
    try:
        usable(given.device)
    except ValueError as error:
        yield str(error)


def complaints_of_output(inputs: Sequence[Place], output: Place, given: argparse.Namespace) -> Iterator[str]:
    """What is wrong with OUT."""
    if not isinstance(output, Path):
        if output != STANDARD:
            yield f"OUT must be a file or -, got {output}; pipe - into ffmpeg to send it"
        elif given.crf is not None:
            yield "--crf has no meaning for raw frames; leave it out"
        return
    if any(isinstance(path, Path) and path.exists() and output.exists() and path.samefile(output) for path in inputs):
        yield f"OUT is also an IN: {output}; choose another name"
    if output.is_dir():
        yield f"OUT must be a file, {output} is a folder"
    try:
        if container_of(output).crf is None and given.crf is not None:
            yield f"--crf has no meaning for {output.suffix}; leave it out"
        check_writable(output)
    except DataError as error:
        yield str(error)


def files_first(words: Sequence[str], options: Parser) -> list[str]:
    """Write the file ``-name.mp4`` as ``./-name.mp4``, lest it be taken for an option: after ``--``, or if it is there."""
    known = {option for action in options._actions for option in action.option_strings}
    end = words.index("--") if "--" in words else len(words)
    before = [f"./{w}" if w.startswith("-") and w not in known and Path(w).is_file() else w for w in words[:end]]
    return before + [f"./{w}" if w.startswith("-") else w for w in words[end + 1 :]]


def width_and_height(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT, as FFmpeg writes sizes, to (height, width)."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, such as 1280x720, got {text}")
    return int(found[2]), int(found[1])


def rate(text: str) -> Fraction:
    """Frames per second on the command line."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected frames per second above 0, such as 30 or 30000/1001, got {text}")
    return value


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
    keep_memory()
    sys.exit(main())
