"""Pictures at a coarser scale: blurs, and light and shade."""

import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.layers import repeat_edges
from lightning_modules.ops.statistics import full_precision

COARSE = 16  # regions along each side whose brightness is compared: large enough for light and shade, too large for strokes


def blurred(frames: Tensor, side: int) -> Tensor:
    """Two box filters of an odd side, one after the other, along each axis: close to a Gaussian."""
    smooth = full_precision(frames)
    for _ in range(2):
        smooth = repeat_edges(smooth, side // 2)
        smooth = window_sums(window_sums(smooth, side, -1), side, -2) / side**2
    return smooth.to(frames.dtype)


def window_sums(values: Tensor, side: int, axis: int) -> Tensor:
    """Sums of ``side`` neighbours along an axis, which becomes shorter by ``side - 1``.

    Windows of 1, 2, 4, ... neighbours are made of one another and put together as the binary digits of ``side`` say. On CPUs
    this takes a fraction of the time of average pooling, in torch and in ONNX Runtime.
    """
    count, begin, width = values.shape[axis] - side + 1, 0, 1
    parts: list[Tensor] = []
    while width <= side:
        if side & width:
            parts.append(values.narrow(axis, begin, count))
            begin += width
        if 2 * width <= side:
            rest = values.shape[axis] - width
            values = values.narrow(axis, 0, rest) + values.narrow(axis, width, rest)
        width *= 2
    return sum(parts[1:], parts[0])


def shade(frames: Tensor) -> Tensor:
    """Brightness of coarse regions of frames ``(N, 3, H, W)``, less the frame's mean: ``(N, COARSE^2)``."""
    coarse = F.adaptive_avg_pool2d(frames.mean(1, keepdim=True), COARSE).flatten(1)
    return coarse - coarse.mean(1, keepdim=True)
