"""3x3 convolutions with a fourth of the multiplications: Winograd's minimal filtering F(4x4, 3x3).

Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016: 36 fixed sums are taken of every 6x6 pixels, in
steps of 4, and of the 3x3 filters; sums of their products give 4x4 results. What is left is a matrix product for each of the
36. What it gains in training is in docs/performance.md.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SEEN, STEP = 6, 4  # pixels along the side of a tile, and from one to the next
LEAST_CHANNELS, LEAST_TILES = 128, 64  # with fewer, taking sums costs more than it saves


def along_both(along: list[list[float]]) -> Tensor:
    """Sums along both axes of a square, ``(m * m, n * n)``, given those along one, ``(m, n)``."""
    sums = torch.tensor(along, dtype=torch.float64)
    return torch.kron(sums, sums)


# For the points 0, 1, -1, 2, -2 and infinity.
OF_PIXELS = along_both(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
OF_FILTERS = along_both([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24**2
OF_PRODUCTS = along_both([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


def pays(frames: Tensor, weight: Tensor) -> bool:
    """Whether this is a convolution for ``winograd``, which is faster: where ``trains_on_cpu``, with enough at once.

    Args:
        frames: ``(N, C, H, W)`` with their borders.
        weight: ``(D, C, height, width)``.
    """
    high, wide = (side - SEEN + STEP for side in frames.shape[-2:])
    return (
        trains_on_cpu(frames, weight)
        and weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= LEAST_CHANNELS
        and high % STEP == wide % STEP == 0
        and len(frames) * high * wide >= LEAST_TILES * STEP**2
    )


def trains_on_cpu(frames: Tensor, weight: Tensor) -> bool:
    """Whether frames ``(N, C, H, W)`` are convolved in training, in float32 on a CPU, eagerly."""
    return (
        torch.is_grad_enabled()
        and frames.ndim == 4
        and frames.device.type == "cpu"
        and frames.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def winograd(frames: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``F.conv2d(frames, weight, bias)`` within rounding: about 1e-5 of the largest result in float32.

    Args:
        frames: ``(N, C, H + 2, W + 2)``, H and W multiples of 4.
        weight: ``(D, C, 3, 3)``.
        bias: ``(D,)``.

    Returns:
        ``(N, D, H, W)``.
    """
    results: Tensor = Winograd.apply(frames, weight, bias)
    return results.permute(0, 3, 1, 2)


class Winograd(torch.autograd.Function):
    """The way back goes through the same sums, transposed.

    Those of the filters, four times as many numbers, and of the pixels, twice as many, are kept for it: memory for time.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """``(N, C, H + 2, W + 2)``, ``(D, C, 3, 3)`` and ``(D,)`` to ``(N, H, W, D)``."""
        pixels, filters = of_pixels(frames), of_filters(weight)
        ctx.save_for_backward(pixels, filters)
        ctx.shape = frames.shape
        products = torch.bmm(pixels, filters.mT)
        n, rows, columns = counted(frames.shape)
        results = summed(OF_PRODUCTS, products.transpose(0, 1)).view(n, rows, columns, STEP, STEP, -1).transpose(2, 3)
        return results.reshape(n, STEP * rows, STEP * columns, -1) + bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the results, to those of frames, weight and bias."""
        pixels, filters = ctx.saved_tensors
        products = summed(OF_PRODUCTS.T, tiled(gradient.permute(0, 3, 1, 2), STEP)).transpose(0, 1)
        to_pixels = summed(OF_PIXELS.T, torch.bmm(products, filters).transpose(0, 1))
        to_weight = summed(OF_FILTERS.T, torch.bmm(products.mT, pixels).transpose(0, 1))
        to_weight = to_weight.view(-1, 3, 3, pixels.shape[2]).permute(0, 3, 1, 2)
        return overlapped(to_pixels, ctx.shape), to_weight, gradient.sum((0, 1, 2))


def of_pixels(frames: Tensor) -> Tensor:
    """``(N, C, H, W)`` to ``(36, tiles, C)``."""
    return summed(OF_PIXELS, tiled(frames, SEEN)).transpose(0, 1)


def of_filters(weight: Tensor) -> Tensor:
    """``(D, C, 3, 3)`` to ``(36, D, C)``."""
    return summed(OF_FILTERS, weight.permute(0, 2, 3, 1).reshape(len(weight), 9, -1)).transpose(0, 1)


def summed(sums: Tensor, values: Tensor) -> Tensor:
    """Sums ``(m * m, n * n)`` of squares ``(count, n * n, C)``, to ``(count, m * m, C)``."""
    return torch.bmm(sums.to(values.dtype).expand(len(values), -1, -1), values)


def counted(shape: torch.Size) -> tuple[int, int, int]:
    """How many pictures, rows of tiles and columns of tiles there are in ``(N, C, H, W)``."""
    rows, columns = ((side - SEEN) // STEP + 1 for side in shape[2:])
    return shape[0], rows, columns


def tiled(frames: Tensor, side: int) -> Tensor:
    """Tiles of 4x4 pixels, or overlapping ones of 6x6: ``(N, C, H, W)`` to ``(N * rows * columns, side * side, C)``."""
    tiles = frames.permute(0, 2, 3, 1).unfold(1, side, STEP).unfold(2, side, STEP).movedim(3, -1)
    return tiles.flatten(3, 4).flatten(0, 2)


def overlapped(tiles: Tensor, shape: torch.Size) -> Tensor:
    """The transpose of tiling frames: ``(N * rows * columns, 36, C)`` to their shape; where tiles overlap, they add up."""
    n, rows, columns = counted(shape)
    tiles = tiles.view(n, rows, columns, SEEN, SEEN, -1).transpose(2, 3)
    own, lent, over = slice(STEP), slice(STEP, SEEN), slice(SEEN - STEP)  # the last of a tile lie over the first of the next
    sums = tiles.new_empty(n, rows + 1, STEP, columns + 1, STEP, tiles.shape[-1])
    sums[:, -1] = sums[:, :, :, -1] = 0  # where only the last tiles lie, in part
    sums[:, :-1, :, :-1] = tiles[:, :, own, :, own]
    sums[:, 1:, over, :-1] += tiles[:, :, lent, :, own]
    sums[:, :-1, :, 1:, over] += tiles[:, :, own, :, lent]
    sums[:, 1:, over, 1:, over] += tiles[:, :, lent, :, lent]
    whole = sums.flatten(3, 4).flatten(1, 2)[:, : shape[2], : shape[3]]
    return whole.contiguous().permute(0, 3, 1, 2)  # what comes next, the border's way back, takes four times as long on a view
