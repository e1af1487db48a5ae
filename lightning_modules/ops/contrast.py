"""Contrasts of pictures at a scale, and how to bound them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.layers import repeat_edges


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
