"""Repainting with an exported network, by ONNX Runtime."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fit.onnx_file import FRAMES, PAINTED, OnnxError, package, read_model

CPU, GPU = "CPUExecutionProvider", ("TensorrtExecutionProvider", "CUDAExecutionProvider")


class OnnxNetwork:
    """An exported network: repaints ``(N, 3, H, W)`` in [-1, 1], float32, H and W as its ``description`` says.

    Args:
        path: an ``.onnx`` file of ``python -m fit.export``.
        device: cpu, cuda, cuda:1, ...; a GPU is used where ONNX Runtime has a provider for it, else the CPU, which is said.
        threads: that compute on a CPU for each caller; None for as many as torch uses.

    Raises:
        OnnxError: no such file, damaged, of something else, or a package is missing.
    """

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None) -> None:
        self.path = path
        model, self.description = read_model(path)
        runtime = package("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 4  # what goes wrong is raised, too
        try:
            self.session = runtime.InferenceSession(
                model.SerializeToString(), options, providers=providers(device, runtime.get_available_providers())
            )
        except Exception as error:  # of several kinds, none of them public
            raise OnnxError(
                f"{path}: expected a network that ONNX Runtime can run, got: {said(error)}; export it again"
            ) from error
        self.provider: str = self.session.get_providers()[0]
        if torch.device(device).type == "cuda" and self.provider == CPU:
            print(f"{path}: ONNX Runtime finds no GPU (pip install onnxruntime-gpu); painting on the CPU", file=sys.stderr)

    def __call__(self, frames: Tensor) -> Tensor:
        """Repaint frames.

        Raises:
            ValueError: the size does not fit the network, or ONNX Runtime fails.
        """
        (height, width), multiple, least = frames.shape[-2:], self.description.size_multiple, self.description.min_size
        if height % multiple or width % multiple or min(height, width) < least:
            raise OnnxError(
                f"{self.path}: expected height and width as multiples of {multiple} and at least {least}, got "
                f"{height}x{width}; change the size or pad the frames"
            )
        try:
            [painted] = self.session.run([PAINTED], {FRAMES: frames.float().contiguous().cpu().numpy()})
        except Exception as error:  # of several kinds, none of them public
            raise OnnxError(
                f"{self.path}: ONNX Runtime failed on {len(frames)} frames of {height}x{width}: {said(error)}"
            ) from error
        return torch.from_numpy(painted).to(frames.device)

    @property
    def runtime(self) -> str:
        """What computes, in words."""
        return f"ONNX Runtime {package('onnxruntime').__version__}, {self.provider.removesuffix('ExecutionProvider')}"


def providers(device: str, here: list[str]) -> list[Any]:
    """What to compute with, the best first.

    Args:
        device: cpu, cuda, cuda:1, ...
        here: the providers this build of ONNX Runtime has.
    """
    place = torch.device(device)
    fast = [name for name in GPU if name in here] if place.type == "cuda" else []
    return [*((name, {"device_id": str(place.index or 0)}) for name in fast), CPU]


def said(error: Exception) -> str:
    """The first line of an error."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
