"""How fast this project is here, against the usual way of doing the same, both in one run.

``python -m fit.bench step``: a training step. ``python -m fit.bench options``: what precision, compiling and checkpointing
do to it. ``python -m fit.bench layout``: the networks channels-last. ``python -m fit.bench data``: reading, packing, loading.
``python -m fit.bench metrics``: the metrics of an evaluation. ``python -m fit.bench stylize``: repainting a video.
``python -m fit.bench export``: a network in torch and exported.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from fit.allocation import keep_memory
from fit.arguments import Parser, at_least
from fit.arguments import size as height_and_width
from fit.bench_data import data
from fit.bench_export import exported
from fit.bench_layout import layout
from fit.bench_metrics import metrics
from fit.bench_options import options
from fit.bench_step import step
from fit.bench_stylize import stylize
from fit.cli import quiet
from fit.messages import fail


def parser() -> Parser:
    """The commands and their options."""
    made = Parser(prog="python -m fit.bench", description="Measure how fast this project is here.", allow_abbrev=False)
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Parser:
        added: Parser = commands.add_parser(name, allow_abbrev=False, help=text)
        added.set_defaults(run=run)
        return added

    _add_training(command)
    _add_data(command("data", data, "reading Vimeo-90K as published and packed, and how long training waits for it"))
    judging = command("metrics", metrics, "the metrics of an evaluation")
    judging.add_argument("--size", default=(256, 448), type=height_and_width, metavar="HxW", help="of the frames (256x448)")
    judging.add_argument("--clips", default=4, type=at_least(1), metavar="N", help="clips to judge (4)")
    judging.add_argument("--repeats", default=3, type=at_least(1), metavar="N", help="times each is judged (3)")
    _add_painting(command)
    return made


def _add_training(command: Callable[..., Parser]) -> None:
    for name, run, size, repeats, text in (
        ("step", step, 128, 7, "a training step of image CycleGAN, against the usual eager float32 loop"),
        ("options", options, 128, 5, "the same step with the options for speed and memory"),
        ("layout", layout, 64, 5, "each network forward and backward, channels-last against contiguous"),
    ):
        one, times = command(name, run, text), f"times each is measured, in turn, after one to warm up ({repeats})"
        one.add_argument("--size", default=size, type=int, metavar="N", help=f"side of the pictures in pixels ({size})")
        one.add_argument("--repeats", default=repeats, type=at_least(1), metavar="N", help=times)


def _add_data(reading: Parser) -> None:
    reading.add_argument("--root", type=Path, metavar="FOLDER", help="Vimeo-90K as published (some generated clips)")
    reading.add_argument("--style", type=Path, metavar="FOLDER", help="pictures or videos in a style (some of scikit-image's)")
    reading.add_argument("--videos", type=Path, metavar="FOLDER", help="videos to read as content, too (none)")
    reading.add_argument("--clips", default=16, type=at_least(2), metavar="N", help="sequences to read (16)")
    reading.add_argument("--rounds", default=5, type=at_least(1), metavar="N", help="times each reader reads them, in turn (5)")
    steps = "batches of 4 for each test of the loader (60)"
    reading.add_argument("--steps", default=60, type=at_least(2), metavar="N", help=steps)


def _add_painting(command: Callable[..., Parser]) -> None:
    video = command("stylize", stylize, "repainting a video: each stage alone, all together, and the usual network")
    video.add_argument("--size", default=(720, 1280), type=height_and_width, metavar="HxW", help="of the frames (720x1280)")
    video.add_argument("--frames", default=60, type=at_least(1), metavar="N", help="of the film (60)")
    video.add_argument("--batch", type=at_least(1), metavar="N", help="frames painted at once (as fit.stylize does)")
    video.add_argument("--seconds", default=5, type=at_least(1), metavar="N", help="for each network by itself (5)")
    video.add_argument("--compile", action="store_true", help="translate the network first, as fit.stylize --compile does")
    video.add_argument("--checkpoint", type=Path, metavar="PATH", help="whose network paints (the default one, untrained)")
    files = command("export", exported, "a network in torch and exported: float32, int8, float16")
    files.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="of a training run: runs/.../*.ckpt")
    sizes = [(256, 448), (720, 1280)]
    files.add_argument("--size", nargs="+", default=sizes, type=height_and_width, metavar="HxW", help="(256x448 720x1280)")
    files.add_argument("--repeats", default=10, type=at_least(1), metavar="N", help="frames of each, in turn (10)")


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
    keep_memory()
    raise SystemExit(main())
