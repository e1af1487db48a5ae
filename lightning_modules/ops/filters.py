"""Fixed linear filters of pictures, and the same on their blocks: one convolution, exact for every pixel."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.fold import fold
from lightning_modules.ops.layers import repeat_edges

SIDE = 2  # pixels along the side of a block that is looked at


def smoothed(pixels: Tensor) -> Tensor:
    """[1, 2, 1] / 4 along each axis."""
    row, colours = torch.tensor([1.0, 2.0, 1.0]) / 4, pixels.shape[1]
    return F.conv2d(pixels, (row[:, None] * row).expand(colours, 1, 3, 3), padding=1, groups=colours)


def doubled(pixels: Tensor) -> Tensor:
    """Twice the size, by bilinear interpolation."""
    return F.interpolate(pixels, scale_factor=2, mode="bilinear")


def enlarged(pixels: Tensor) -> Tensor:
    """Twice the size by [1, 5, 10, 10, 5, 1] / 16 along each axis: bilinear interpolation, smoothed.

    By interpolation alone the steps within a pixel and those to the next would differ, which stays on the screen while the
    scene moves.
    """
    return smoothed(doubled(pixels))


def slopes(pixels: Tensor) -> Tensor:
    """Central differences down and to the right: ``(N, 1, h, w)`` to ``(N, 2, h, w)``."""
    row = torch.zeros(3, 3)
    row[1] = torch.tensor([-0.5, 0.0, 0.5])
    return F.conv2d(pixels, torch.stack([row.mT, row])[:, None], padding=1)


def tent(values: Tensor, reach: int) -> Tensor:
    """Averages with the edges repeated, weights falling evenly over ``reach`` values to each side; of 1, [1, 2, 1] / 4.

    Of a few channels that lie apart, in a fraction of the time of a convolution.
    """
    values = repeat_edges(values, reach)
    return boxes(boxes(values, reach + 1), reach + 1)


def boxes(values: Tensor, side: int) -> Tensor:
    """Means of ``side`` x ``side`` values, without a border: ``(N, C, h, w)`` to ``(N, C, h - side + 1, w - side + 1)``."""
    height, width = values.shape[-2] - side + 1, values.shape[-1] - side + 1
    rows = sum((values[..., i : i + height, :] for i in range(1, side)), values[..., :height, :])
    return sum((rows[..., i : i + width] for i in range(1, side)), rows[..., :width]) / side**2


def as_convolution(
    linear: Callable[[Tensor], Tensor], colours: int = 3, block: int = SIDE, seen: int = SIDE, size: int = 3
) -> Tensor:
    """A linear map of pixels that sees only blocks of them nearby, as a convolution of such blocks.

    Args:
        linear: ``(N, colours, h, w)`` to ``(N, C, H, W)``; sees no further than ``size // 2`` blocks.
        colours: of the pixels.
        block: what its results are folded by.
        seen: what the pixels are folded by.
        size: of the convolution, odd.

    Returns:
        ``(block^2 C, seen^2 colours, size, size)``.
    """
    side, middle = size * seen, size // 2
    impulses = torch.eye(colours * side**2).view(-1, colours, side, side)  # one for every pixel of the blocks
    centre = fold(linear(impulses), block)[:, :, middle, middle]  # what each of them gives to the middle block
    filters = fold(centre.view(colours, side, side, -1).permute(3, 0, 1, 2), seen)
    return filters.contiguous(memory_format=torch.channels_last)


def convolved(blocks: Tensor, filters: Tensor, stride: int = 1) -> Tensor:
    """``(N, C, h, w)`` convolved with fixed filters, without a border; in float32 under autocast, too."""
    with torch.autocast(blocks.device.type, enabled=False):
        return F.conv2d(blocks, filters.to(blocks.dtype), stride=stride)


def filtered(blocks: Tensor, filters: Tensor) -> Tensor:
    """``convolved`` with the edges repeated, so that the size stays."""
    return convolved(repeat_edges(blocks, filters.shape[-1] // 2), filters)
