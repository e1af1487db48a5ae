"""Contrasts of pictures at a scale, and how to bound them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.layers import repeat_edges

COARSE = 16  # regions along each side whose brightness is compared: large enough for light and shade, too large for strokes


def blurred(frames: Tensor, side: int) -> Tensor:
    """Two box filters of an odd side, one after the other, along each axis: close to a Gaussian."""
    margin = side // 2
    for _ in range(2):
        frames = repeat_edges(frames, margin)
        frames = F.avg_pool2d(F.avg_pool2d(frames, (1, side), stride=1), (side, 1), stride=1)
    return frames


def squashed(values: Tensor, most: float) -> Tensor:
    """Small values as they are, large ones bounded by ``most``."""
    return most * torch.tanh(values / most)


def shade(frames: Tensor) -> Tensor:
    """Brightness of coarse regions of frames ``(N, 3, H, W)``, less the frame's mean: ``(N, COARSE^2)``."""
    coarse = F.adaptive_avg_pool2d(frames.mean(1, keepdim=True), COARSE).flatten(1)
    return coarse - coarse.mean(1, keepdim=True)
