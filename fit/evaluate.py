"""Judge networks beside the input, controls and one another: ``python -m fit.evaluate CHECKPOINT... [--data ...] [--out DIR]``.

Is it in the style, is the content still there, does it flicker more than the camera did, how fast is it? All on the same
clips, with intervals over clips, and beside what a grey, a blurred or a tinted picture would get.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from fit.arguments import Parser, at_least, size
from fit.evaluation.card import Card
from fit.evaluation.console import table
from fit.evaluation.cost import SIZES
from fit.evaluation.files import together, write
from fit.evaluation.session import LpipsKind, Session
from fit.messages import explain, fail
from lightning_modules.metrics.extractor import Kind

Group = argparse._ArgumentGroup


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="python -m fit.evaluate",
        usage="%(prog)s CHECKPOINT [CHECKPOINT ...] [options]",
        description=(
            "Judge networks on the same clips, beside the unpainted input, a frame-wise run if there is one (made by "
            "fit/recipes/framewise.yaml), a mean-colour transfer and a blur. Writes card.json, card.md and card.html."
        ),
        allow_abbrev=False,
    )
    made.add_argument(
        "networks",
        nargs="+",
        metavar="CHECKPOINT",
        help="a file (.ckpt, .onnx), a run's folder, or file.py:function of your own",
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="where the card goes (card/ in the folder of the run)")
    _add_data(made.add_argument_group("what they are judged on"))
    _add_judges(made.add_argument_group("what judges them"))
    return made


def _add_data(group: Group) -> None:
    kinds = "scenes (default), or a folder: Vimeo-90K, pictures, videos"
    group.add_argument("--data", default="scenes", metavar="WHAT", help=kinds)
    group.add_argument("--style", type=Path, metavar="DIR", help="pictures or videos (what the first network was trained on)")
    group.add_argument("--clips", default=16, type=at_least(0), metavar="N", help="how many clips (16); 0: all of a folder")
    group.add_argument("--frames", type=at_least(2), metavar="N", help="frames of a clip (7)")
    group.add_argument("--size", type=size, metavar="HxW", help="of the frames (128x128; of videos 256x448)")
    group.add_argument("--split", default="test", choices=("test", "all"), help="which lists of Vimeo-90K (test)")


def _add_judges(group: Group) -> None:
    group.add_argument(
        "--extractor",
        default="auto",
        choices=get_args(Kind),
        help="features of the style distance; auto: vgg19 if torch has its weights already, else random ones",
    )
    group.add_argument("--extractor-weights", type=Path, metavar="FILE", help="of these features (torchvision's)")
    group.add_argument(
        "--lpips",
        default="auto",
        choices=get_args(LpipsKind),
        help="network of the perceptual distances; auto: alex if torch has its weights already, else none",
    )
    group.add_argument("--lpips-weights", type=Path, metavar="FILE", help="of this network (torchvision's)")
    group.add_argument("--inception-weights", type=Path, metavar="FILE", help="of FID and KID (torch-fidelity's, if cached)")
    group.add_argument("--art-inception-weights", type=Path, metavar="FILE", help="of ArtFID, which needs --lpips alex, too")
    group.add_argument("--flow", default="dis", choices=("dis", "raft"), help="what estimates the motion of videos (dis)")
    group.add_argument("--flow-weights", type=Path, metavar="FILE", help="of raft (torchvision's)")
    group.add_argument("--device", metavar="NAME", help="to paint on: cpu, cuda, ... (a GPU where there is one)")
    group.add_argument(
        "--speed", default=SIZES, type=sizes, metavar="HxW,...", help="sizes to time at (256x448,720x1280), or none"
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 130 when it was interrupted.

    Raises:
        SystemExit: status 2 and one line on standard error for a mistake, before any work.
    """
    given = parser().parse_args(args)
    try:
        evaluate(**vars(given))
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except Exception as error:
        if line := explain(error):
            fail(line)
        raise
    return 0


def evaluate(networks: Sequence[str | Path], out: str | Path | None = None, **options: Any) -> Card:
    """Judge networks, write their card and print its table: the command, from Python.

    Args:
        networks: as on the command line.
        out: folder of the card; None: ``card/`` in the folder of the run, or a new folder in ``runs/`` for several.
        options: of ``Session``, named as on the command line.

    Returns:
        What ``card.json`` holds.

    Raises:
        ValueError: options that do not go together, weights that cannot be had, or a folder that cannot be written to.
        DataError, CheckpointError, OnnxError: what cannot be read.
    """
    session = Session([str(name) for name in networks], **options)
    folder = Path(out) if out else session.folder()
    with together(folder) as part:
        card = session.judge(part)
        write(card, part)
    print(table(card))
    print(f"Card: {folder / 'card.html'} (and card.md, card.json)")
    return card


def sizes(text: str) -> tuple[tuple[int, int], ...]:
    """Several of them, or none."""
    return () if text == "none" else tuple(size(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
