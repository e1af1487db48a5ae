"""Pixels folded into channels and back: a convolution of blocks costs a fraction of one of pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor


def fold(frames: Tensor, block: int) -> Tensor:
    """``(N, C, H, W)`` to ``(N, block^2 C, H / block, W / block)``: rows of a block, their pixels, the colours of each.

    The order of ONNX's SpaceToDepth. For channels-last pictures, whose colours lie together, it moves whole pixels; torch's
    ``pixel_unshuffle`` puts the colours apart first, which takes more than twice as long on a CPU.
    """
    n, c, height, width = frames.shape
    rows, columns = height // block, width // block
    parts = frames.permute(0, 2, 3, 1).reshape(n, rows, block, columns, block * c).transpose(2, 3)
    return parts.reshape(n, rows, columns, block * block * c).permute(0, 3, 1, 2)


def unfold(folded: Tensor, block: int) -> Tensor:
    """The reverse of ``fold``."""
    n, c, rows, columns = folded.shape
    c //= block * block
    parts = folded.permute(0, 2, 3, 1).reshape(n, rows, columns, block, block * c).transpose(2, 3)
    return parts.reshape(n, rows * block, columns * block, c).permute(0, 3, 1, 2)


def halved(frames: Tensor) -> Tensor:
    """Means of 2x2 pixels, ``(N, C, H, W)`` to ``(N, C, H / 2, W / 2)``: as average pooling, in a quarter of its time."""
    n, c, height, width = frames.shape
    pixels = frames.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, c)
    rows = pixels[:, :, 0] + pixels[:, :, 1]
    return ((rows[..., 0, :] + rows[..., 1, :]) / 4).permute(0, 3, 1, 2)


def bordered(blocks: Tensor, side: int) -> Tensor:
    """Blocks with one more on each side, of pixels at the edge of the picture, repeated: to ``(N, C, h + 2, w + 2)``.

    Were blocks repeated instead, the step from the last pixel back to the first of its block would look like an edge, which
    stays on the screen while the scene moves.

    Args:
        blocks: as of ``fold``.
        side: pixels along the side of a block.
    """
    every, first, last = range(side), [0] * side, [side - 1] * side
    colours = range(blocks.shape[1] // side**2)

    def edge(part: Tensor, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        kept = part[:, [(row * side + column) * len(colours) + c for row in rows for column in columns for c in colours]]
        return kept.contiguous(memory_format=torch.channels_last)

    blocks = torch.cat([edge(blocks[..., :1], every, first), blocks, edge(blocks[..., -1:], every, last)], 3)
    return torch.cat([edge(blocks[..., :1, :], first, every), blocks, edge(blocks[..., -1:, :], last, every)], 2)
