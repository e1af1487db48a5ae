"""Quantisation after training: 8-bit weights and activations in the convolutions where they pay, float32 elsewhere.

The range of every activation is read off frames of clips (calibration); weights have a scale for each output channel.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from torch import Tensor

from datamodules.moving_scenes import MovingScenes
from datamodules.random import Draw
from datamodules.style import style_source
from fit.onnx_file import FRAMES, OnnxError, package

if TYPE_CHECKING:
    from onnx import ModelProto

CLIPS, CLIP_FRAMES, SIZE = 24, 3, (128, 224)  # looked at; of a clip its first and last frame
# Fewer channels do not fill the 8-bit kernels: on full-size frames they take as long as in float32 and lose 7 dB.
WIDE = 32


def calibration_frames(folder: Path | None = None) -> Iterator[Tensor]:
    """Frames ``(1, 3, 128, 224)`` in [-1, 1]: of photographs in motion, those of training, or of a folder.

    Args:
        folder: of pictures, which are put in motion, or of videos.

    Raises:
        DataError: no such folder, or nothing usable in it.
    """
    if folder is None:
        source = MovingScenes(frames=CLIP_FRAMES, size=SIZE).content_clips("train")
    else:
        source = style_source(folder, CLIP_FRAMES, SIZE)
    for number in range(CLIPS):
        clip = source.clip(Draw(0, number // len(source), number % len(source)))
        for frame in (clip.frames[0], clip.frames[-1]):
            yield frame[None, :, : SIZE[0], : SIZE[1]].float() / 127.5 - 1  # sources may leave a margin


def quantised(model: "ModelProto", frames: Iterable[Tensor]) -> "ModelProto":
    """The same network with its wide convolutions in int8; input, output and free sizes stay.

    Weights keep 7 bits: x86 processors without VNNI add two products in 16 bits, which 8 would overflow.

    Args:
        model: of ``onnx_graph.to_onnx``, in float32.
        frames: to calibrate on, each ``(N, 3, H, W)`` in [-1, 1].

    Raises:
        OnnxError: no convolution is wide enough, or a package is missing.
    """
    chosen = wide_convolutions(model)
    if not chosen:
        raise OnnxError(f"int8: expected convolutions of at least {WIDE} channels, got none; export without --quantize")
    tool = package("onnxruntime.quantization")
    with TemporaryDirectory() as folder, quiet():
        path = Path(folder, "int8.onnx")
        tool.quantize_static(
            model,
            path,
            reader(frames),
            nodes_to_quantize=chosen,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=tool.QuantType.QUInt8,
            weight_type=tool.QuantType.QInt8,
        )
        made: ModelProto = package("onnx").load(path)
    return made


def wide_convolutions(model: "ModelProto") -> list[str]:
    """Names of the convolutions that read and make at least ``WIDE`` channels."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    return [node.name for node in convolutions if min(shapes.get(node.input[1], (0, 0))[:2]) >= WIDE]


def reader(frames: Iterable[Tensor]) -> Any:
    """Frames as the quantiser asks for them, one after the other."""

    class Reader(package("onnxruntime.quantization").CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(frames)

        def get_next(self) -> dict[str, Any] | None:
            frame = next(self.left, None)
            return None if frame is None else {FRAMES: frame.numpy()}

    return Reader()


class quiet(logging.Filter):
    """Keeps back the quantiser's advice to run it after a step that these graphs, optimised already, do not need."""

    def __enter__(self) -> None:
        logging.getLogger().addFilter(self)

    def __exit__(self, *error: object) -> None:
        logging.getLogger().removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return "pre-processing" not in record.getMessage()
