"""Whether an exported network paints what the network in torch paints, on real frames of several sizes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.moving_scenes import PHOTOGRAPHS, photograph
from datamodules.resize import channels_first, cover
from fit.onnx_file import OnnxError, Precision
from fit.stream import Paint

# Frames at once, height, width: with and without padding, and not the example that torch.export saw.
BATCHES = ((1, 64, 64), (3, 96, 160), (1, 250, 333), (1, 256, 448), (1, 720, 1280))
LARGEST = {"float32": 1e-3, "float16": math.inf, "int8": math.inf}  # difference of a value in [-1, 1]
LEAST_PSNR = {"float32": 0.0, "float16": 45.0, "int8": 35.0}  # decibels, of the worst batch


@dataclass(frozen=True)
class Difference:
    """How far the frames of two painters are apart.

    Args:
        largest: of all values, in [-1, 1].
        psnr: decibels, of the batch where it is lowest; infinite for equal ones.
        frames: how many were painted.
    """

    largest: float
    psnr: float
    frames: int

    def __str__(self) -> str:
        return f"largest difference {self.largest:.2g} in [-1, 1], PSNR at least {self.psnr:.1f} dB ({self.frames} frames)"


def real_frames(count: int, height: int, width: int) -> Tensor:
    """Cuts of the photographs that are never trained on and never calibrated on, ``(count, 3, height, width)`` in [-1, 1]."""
    names = PHOTOGRAPHS["val"]
    cuts = [
        cover(photograph(names[number % len(names)])[None], (height, width), (number / count, number / count))
        for number in range(count)
    ]
    return torch.cat([channels_first(cut) for cut in cuts]).float() / 127.5 - 1


def check_batches() -> Iterator[Tensor]:
    """What every exported network is tried on."""
    return (real_frames(*batch) for batch in BATCHES)


def difference(reference: Paint, other: Paint, batches: Iterable[Tensor]) -> Difference:
    """Let both paint the same batches ``(N, 3, H, W)``; anything that is not a number makes the difference NaN."""
    largest, psnr, frames = torch.zeros(()), torch.tensor(math.inf), 0
    with torch.inference_mode():
        for batch in batches:
            expected, painted = reference(batch).double(), other(batch).double()
            # Of another shape, nothing is where it should be.
            apart = expected - painted if expected.shape == painted.shape else torch.full((1,), math.nan)
            largest = torch.maximum(largest, apart.abs().max())  # keeps NaN, as Python's max does not
            psnr = torch.minimum(psnr, 10 * torch.log10(4 / apart.square().mean()))
            frames += len(batch)
    return Difference(float(largest), float(psnr), frames)


def refuse_unlike(found: Difference, precision: Precision) -> None:
    """Refuse a network that is too far from what it should be.

    Raises:
        OnnxError: above ``LARGEST`` or below ``LEAST_PSNR`` of its precision.
    """
    largest, least = LARGEST[precision], LEAST_PSNR[precision]
    if not (found.largest <= largest and found.psnr >= least):
        allowed = f"at most {largest:g}" if math.isfinite(largest) else f"at least {least:g} dB"
        raise OnnxError(f"expected the {precision} network to paint as in torch ({allowed}), got {found}; nothing was written")
