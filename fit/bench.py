"""How fast this project is here, against the usual way of doing the same, both in one run.

``python -m fit.bench step``: a training step. ``python -m fit.bench options``: what precision, compiling and checkpointing
do to it. ``python -m fit.bench layout``: the networks channels-last. ``python -m fit.bench data``: reading, packing, loading.
``python -m fit.bench metrics``: the metrics of an evaluation. ``python -m fit.bench export``: a network in torch and exported.
"""

from collections.abc import Sequence
from pathlib import Path

from fit.arguments import Parser, at_least
from fit.arguments import size as height_and_width
from fit.bench_data import data
from fit.bench_export import exported
from fit.bench_layout import layout
from fit.bench_metrics import metrics
from fit.bench_options import options
from fit.bench_step import step
from fit.cli import quiet
from fit.messages import fail


def parser() -> Parser:
    """The commands and their options."""
    made = Parser(prog="python -m fit.bench", description="Measure how fast this project is here.", allow_abbrev=False)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser(
        "step", allow_abbrev=False, help="a training step of image CycleGAN, against the usual eager float32 loop"
    )
    one.add_argument("--size", default=128, type=int, metavar="N", help="side of the pictures in pixels (128)")
    one.add_argument("--repeats", default=7, type=at_least(1), metavar="N", help="steps of each, after one to warm up (7)")
    one.set_defaults(run=step)
    for name, run, size, text in (
        ("options", options, 128, "the same step with the options for speed and memory"),
        ("layout", layout, 64, "each network forward and backward, channels-last against contiguous"),
    ):
        other = commands.add_parser(name, allow_abbrev=False, help=text)
        other.add_argument("--size", default=size, type=int, metavar="N", help=f"side of the pictures in pixels ({size})")
        other.add_argument("--repeats", default=5, type=at_least(1), metavar="N", help="times each is measured, in turn (5)")
        other.set_defaults(run=run)
    two = commands.add_parser(
        "data", allow_abbrev=False, help="reading Vimeo-90K as published and packed, and how long training waits for it"
    )
    two.add_argument("--root", type=Path, metavar="FOLDER", help="Vimeo-90K as published (some generated clips)")
    two.add_argument("--style", type=Path, metavar="FOLDER", help="pictures or videos in a style (some of scikit-image's)")
    two.add_argument("--videos", type=Path, metavar="FOLDER", help="videos to read as content, too (none)")
    two.add_argument("--clips", default=16, type=at_least(2), metavar="N", help="sequences to read (16)")
    two.add_argument("--rounds", default=5, type=at_least(1), metavar="N", help="times each reader reads them, in turn (5)")
    two.add_argument("--steps", default=60, type=at_least(2), metavar="N", help="batches of 4 for each test of the loader (60)")
    two.set_defaults(run=data)
    three = commands.add_parser("metrics", allow_abbrev=False, help="the metrics of an evaluation")
    three.add_argument("--size", default=(256, 448), type=height_and_width, metavar="HxW", help="of the frames (256x448)")
    three.add_argument("--clips", default=4, type=at_least(1), metavar="N", help="clips to judge (4)")
    three.add_argument("--repeats", default=3, type=at_least(1), metavar="N", help="times each is judged (3)")
    three.set_defaults(run=metrics)
    four = commands.add_parser("export", allow_abbrev=False, help="a network in torch and exported: float32, int8, float16")
    four.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="of a training run: runs/.../*.ckpt")
    sizes = [(256, 448), (720, 1280)]
    four.add_argument("--size", nargs="+", default=sizes, type=height_and_width, metavar="HxW", help="(256x448 720x1280)")
    four.add_argument("--repeats", default=10, type=at_least(1), metavar="N", help="frames of each, in turn (10)")
    four.set_defaults(run=exported)
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run one of the commands.

    Returns:
        0. A mistake leaves with status 2 and one line on standard error.
    """
    quiet()
    given = parser().parse_args(args)
    try:
        given.run(given)
    except ValueError as error:
        fail(error)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
