"""Repaint videos with a trained network: ``python -m fit.stylize IN [IN ...] OUT --checkpoint PATH``.

Reads, paints and writes frame after frame, so memory does not grow with length. Every frame keeps its time, the picture its
size, pixel shape and colour tags; a rotation is carried out. Sound is copied packet by packet where the container of OUT can
hold it, and otherwise encoded anew, which is then said.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import torch

from datamodules.errors import DataError
from fit.arguments import Parser
from fit.hardware import usable
from fit.messages import explain, fail
from fit.render import check, render
from fit.stream import load_paint
from fit.video import CONTAINERS, container_of


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
    device = usable(given.device)
    try:
        # Inputs are read to their end first: better to hear of damage now than after hours of painting.
        cut = (given.start, given.end)
        frames = check(inputs, cut)
        paint = load_paint(given.checkpoint, device)
        print(*render(inputs, output, paint, cut, frames, given.crf, given.batch, device), sep="\n")
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
        if container_of(output).crf is None and given.crf is not None:
            yield f"--crf has no meaning for {output.suffix}; leave it out"
    except DataError as error:
        yield str(error)
    try:
        usable(given.device)
    except ValueError as error:
        yield str(error)


def files_first(words: Sequence[str], options: Parser) -> list[str]:
    """Write the file ``-name.mp4`` as ``./-name.mp4``, lest it be taken for an option: after ``--``, or if it is there."""
    known = {option for action in options._actions for option in action.option_strings}
    end = words.index("--") if "--" in words else len(words)
    before = [f"./{w}" if w.startswith("-") and w not in known and Path(w).is_file() else w for w in words[:end]]
    return before + [f"./{w}" if w.startswith("-") else w for w in words[end + 1 :]]


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
