"""A checkpoint as an ONNX file that runs anywhere: ``python -m fit.export CHECKPOINT OUT.onnx [--quantize int8] [--half]``.

The file takes any batch size, height and width (multiples of what it says), float32 in and out, in [-1, 1]. It is kept only
if it paints what the checkpoint paints.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from fit.arguments import Parser
from fit.evaluation.cost import parameters
from fit.evaluation.looks import look_of, stored
from fit.evaluation.painters import run_of
from fit.messages import explain, fail
from fit.onnx_check import Difference, check_batches, difference, refuse_unlike
from fit.onnx_file import Description, Precision, is_onnx, package, write_model
from fit.onnx_graph import to_onnx
from fit.onnx_run import OnnxNetwork
from fit.quantise import calibration_frames, quantised
from fit.stream import AnySize, load_whole
from lightning_modules.base import StyleMethod
from lightning_modules.sidecar import part


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="python -m fit.export",
        usage="%(prog)s CHECKPOINT OUT.onnx [options]",
        description=(
            "Write the averaged generator of a checkpoint as an ONNX file, for any batch size, height and width, and check it "
            "against torch on real frames. fit.stylize and fit.evaluate take the file where they take a checkpoint."
        ),
        allow_abbrev=False,
    )
    made.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="of a training run: runs/.../*.ckpt")
    made.add_argument("output", type=Path, metavar="OUT.onnx", help="the file to write")
    made.add_argument("--quantize", choices=("int8",), help="8-bit convolutions, calibrated on clips")
    made.add_argument("--half", action="store_true", help="float16 inside, for GPUs; input and output stay float32")
    made.add_argument(
        "--calibrate", type=Path, metavar="FOLDER", help="pictures or videos to calibrate on (photographs in motion)"
    )
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 130 when it was interrupted.

    Raises:
        SystemExit: status 2 and one line on standard error for a mistake, which leaves nothing behind.
    """
    given = parser().parse_args(args)
    if problems := list(complaints(given)):
        fail("; ".join(problems))
    try:
        found = export(**vars(given))
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except Exception as error:
        if line := explain(error):
            fail(line)
        raise
    print(f"{given.output}: {given.output.stat().st_size / 2**20:.2f} MiB, {found}")
    return 0


def complaints(given: argparse.Namespace) -> Iterator[str]:
    """All that is wrong with the command line, before any work."""
    if not is_onnx(given.output):
        yield f"OUT must end in .onnx, got {given.output}"
    if given.output.is_dir():
        yield f"OUT must be a file, {given.output} is a folder"
    if not given.output.absolute().parent.is_dir():
        yield f"expected a folder for OUT, got none at {given.output.absolute().parent}"
    if given.quantize and given.half:
        yield "--quantize and --half do not go together; choose one"
    if given.calibrate and not given.quantize:
        yield "--calibrate has no meaning without --quantize int8"


def export(
    checkpoint: Path,
    output: Path,
    quantize: Literal["int8"] | None = None,
    half: bool = False,
    calibrate: Path | None = None,
) -> Difference:
    """The command, from Python: the file is written whole, or not at all.

    Returns:
        How far it is from the checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        OnnxError: the network cannot be exported, or paints something else then; or a package is missing.
        DataError: nothing to calibrate on.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        package(name)  # before any work
    method = load_whole(checkpoint)
    network = method.stylizer()
    precision: Precision = quantize or ("float16" if half else "float32")
    model = to_onnx(network, half)
    if quantize:
        model = quantised(model, calibration_frames(calibrate))
    with renamed(output) as temporary:
        write_model(model, describe(checkpoint, method, precision), temporary)
        paint = AnySize(OnnxNetwork(temporary), network.size_multiple, network.min_size)
        found = difference(AnySize(network, network.size_multiple, network.min_size), paint, check_batches())
        refuse_unlike(found, precision)
    return found


def describe(checkpoint: Path, method: StyleMethod, precision: Precision) -> Description:
    """What the file is to say."""
    network, run = method.stylizer(), run_of(checkpoint)
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Description(
        size_multiple=network.size_multiple,
        min_size=network.min_size,
        precision=precision,
        parameters=parameters(network),
        generator=network.describe(),
        method=str(method.describe()["class_path"]),
        run=run.name if run else None,
        step=method.generator_step,
        style=stored(look_of(run)) if run else None,
        version=version("fit-video-style"),
        checkpoint_sha256=digest,
    )


@contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to, which takes its place at the end; after an error nothing is left of it."""
    temporary = part(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:  # a full disk does not say whose
        raise OSError(
            error.errno, f"{error.strerror} while the network was being written; nothing was kept", str(path)
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up then too
    sys.exit(main())
