"""From a network in torch to an ONNX graph."""

import copy
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fit.onnx_file import FRAMES, PAINTED, OnnxError, package
from lightning_modules.generators.base import Generator

if TYPE_CHECKING:
    from onnx import ModelProto

COUNT, HIGH, WIDE = 2, 5, 7  # of the frames torch.export sees, in smallest frames; numbers that no network treats alike


class Exported(nn.Module):
    """A generator as the file has it: float32 goes in and comes out, whatever it computes in."""

    def __init__(self, network: Generator) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [-1, 1] to the same shape."""
        dtype = next(self.network.parameters()).dtype
        return self.network.paint(frames.to(dtype)).float()


def to_onnx(network: Generator, half: bool = False) -> "ModelProto":
    """The graph of a network, for any batch size, height and width that it takes.

    Args:
        network: on the CPU; it is left as it is.
        half: whether weights and activations become float16.

    Raises:
        OnnxError: torch cannot export the network, or a package is missing.
    """
    for name in ("onnx", "onnxscript"):
        package(name)
    # Channels-last weights would take the paths of CPU kernels that ONNX Runtime lacks.
    network = copy.deepcopy(network).eval().requires_grad_(False).to(memory_format=torch.contiguous_format)
    exported = Exported(network.half() if half else network).eval()
    side = -(-network.min_size // network.size_multiple) * network.size_multiple
    free = torch.export.Dim.DYNAMIC
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about the exporter's own future
            program = torch.onnx.export(
                exported,
                (torch.zeros(COUNT, 3, HIGH * side, WIDE * side),),
                dynamo=True,
                input_names=[FRAMES],
                output_names=[PAINTED],
                dynamic_shapes={"frames": {0: free, 2: free, 3: free}},
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise OnnxError(
            f"{type(network).__name__}: expected a network that torch.export takes at any size, got: {reason[:300]}"
        ) from error
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    return program.model_proto
