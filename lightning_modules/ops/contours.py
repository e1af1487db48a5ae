"""Contour lines of brightness, evenly close wherever it varies enough: strokes that move with the scene.

A line of equal brightness belongs to what it lies on. Whatever is drawn along it moves with that exactly, without memory and
without optical flow, and what is smooth has strokes as well, where filters find nothing to strengthen. Where brightness varies
twice as fast, only every second line is drawn; between, one set fades into the other (so Benard et al., "Dynamic solid textures
for real-time coherent stylization", I3D 2009, fade octaves of texture as one comes nearer). What lines cannot follow is
a change of the light itself: where that or compression moves brightness by a level, they move by a twelfth of their spacing at
most.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.ops.filters import SIDE, as_convolution, doubled, filtered, slopes, smoothed

LINES = SIDE**2  # channels: one for every pixel of a block
SPACING = 6.0  # half-size pixels from line to line
LEAST, OCTAVES = 12.0 / 127.5, 5  # brightness from line to line at least: twelve grey levels; how often it doubles
FLAT = 1.25 / 127.5  # slope from half-size pixel to the next: lines fade where it is less, as compression moves them
AROUND = (1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)  # weights of blocks, along each axis, over which slopes are averaged


class Contours(nn.Module):
    """Brightness and its slopes, in blocks of 2x2 pixels, to a drawing of contour lines, in such blocks."""

    around: Tensor
    reach = len(AROUND) // 2 + 1  # blocks

    def __init__(self) -> None:
        super().__init__()
        size, linear = len(AROUND) + 2, (doubled, lambda blocks: doubled(averaged(blocks)))
        filters = torch.cat([as_convolution(each, 1, seen=1, size=size) for each in linear])
        # Of the sum of squares over a block's pixels; in units in which 1 is a line every ``SPACING`` pixels.
        self.register_buffer("around", filters / SIDE**2 * (SPACING / LEAST) ** 2, persistent=False)

    @torch.no_grad()
    def forward(self, light: Tensor, slopes: Tensor) -> Tensor:
        """Draw, in waves across the lines. No gradient goes back: the waves are too steep for one to tell anything.

        Args:
            light: smooth brightness ``(N, 4, h, w)`` in [-1, 1], float32 or float64.
            slopes: of it from half-size pixel to the next, down and to the right, ``(N, 8, h, w)``.

        Returns:
            ``(N, 4, h, w)`` in [-1, 1].
        """
        squares = torch.linalg.vector_norm(slopes, dim=1, keepdim=True).square_()
        # From block to block both change smoothly: steps would stay on the screen while the scene moves.
        steep, around = filtered(squares, self.around).chunk(2, 1)  # around, so that tops and hollows have lines, too
        even = (FLAT * SPACING / LEAST) ** 2
        strength = (steep / (around / 4 + even)).sqrt_().clamp_(max=1)  # fainter where less than half as steep as around
        octave = around.clamp(1, 4 ** (OCTAVES - 1)).log2_().div_(2)
        finer = octave.floor()
        phase = torch.exp2(-finer).mul_(light).mul_(math.pi / LEAST)
        # The lines of one octave and of the next.
        return torch.lerp((2 * phase).sin_(), phase.sin_(), octave.sub_(finer)).mul_(strength)


def averaged(blocks: Tensor) -> Tensor:
    """The tent of ``AROUND`` along each axis, ``(N, 1, h, w)`` to the same shape."""
    row = torch.tensor(AROUND)
    return F.conv2d(blocks, (row[:, None] * row)[None, None], padding=len(AROUND) // 2)


def folded_light() -> Tensor:
    """Brightness of half-size pixels, smoothed by [1, 2, 1] / 4 along each axis, and its slopes, as ``(12, 12, 3, 3)``."""

    def light(pixels: Tensor) -> Tensor:
        return smoothed(pixels).mean(1, keepdim=True)

    return torch.cat([as_convolution(light), as_convolution(lambda pixels: slopes(light(pixels)))])
