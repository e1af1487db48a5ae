"""Convolutions to few channels, in two steps that fill the vector units of a CPU.

These compute 8 or 16 results of a pixel at once; three, the colours of a picture, leave most of them empty. So rows of the
kernel are taken apart: first every row by itself, all of them as channels of one convolution, then their sum, row under row.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

FEW, LEAST_SIDE = 3, 7  # channels at most, and rows of the kernel at least: of these it was measured (docs/performance.md)


def few(weight: Tensor) -> bool:
    """Whether a kernel ``(D, C, height, width)`` has few results and many rows."""
    return len(weight) <= FEW and weight.shape[2] >= LEAST_SIDE


def by_rows(frames: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``F.conv2d(frames, weight, bias)`` within rounding.

    Args:
        frames: ``(N, C, H, W)``.
        weight: ``(D, C, height, width)``.
        bias: ``(D,)``.

    Returns:
        ``(N, D, H - height + 1, W - width + 1)``.
    """
    results, channels, height, width = weight.shape
    rows = F.conv2d(frames, weight.permute(2, 0, 1, 3).reshape(height * results, channels, 1, width))
    lines = frames.shape[2] - height + 1
    return sum((row.narrow(2, down, lines) for down, row in enumerate(torch.split(rows, results, 1))), bias.view(-1, 1, 1))
