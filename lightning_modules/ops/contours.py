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
from torch import Tensor, nn

from lightning_modules.ops.filters import SIDE, as_convolution, doubled, filtered, slopes, smoothed

LINES = SIDE**2  # channels: one for every pixel of a block
SPACING = 6.0  # half-size pixels from line to line
LEAST, OCTAVES = 12.0 / 127.5, 5  # brightness from line to line at least: twelve grey levels; how often it doubles
FLAT = 1.0 / 127.5  # slope from half-size pixel to the next: lines are fainter where it is less, as compression moves them
AROUND = (1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)  # weights of blocks, along each axis, over which slopes are averaged


class Contours(nn.Module):
    """Brightness in blocks of 2x2 pixels to a drawing of its contour lines, in such blocks."""

    slopes: Tensor
    around: Tensor
    pixels: Tensor
    reach = 1 + len(AROUND) // 2 + 1  # blocks

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("slopes", as_convolution(slopes, 1), persistent=False)
        weights = torch.tensor(AROUND)
        self.register_buffer("around", (weights[:, None] * weights)[None, None], persistent=False)
        self.register_buffer("pixels", as_convolution(doubled, 1, seen=1), persistent=False)

    @torch.no_grad()
    def forward(self, light: Tensor) -> Tensor:
        """Draw, in waves across the lines. No gradient goes back: the waves are too steep for one to tell anything.

        Args:
            light: smooth brightness ``(N, 4, h, w)`` in [-1, 1], float32 or float64.

        Returns:
            The same shape, in [-1, 1].
        """
        light = light.contiguous(memory_format=torch.channels_last)
        steep = filtered(light, self.slopes).square_().mean(1, keepdim=True).mul_(2)
        around = filtered(steep, self.around)  # so that tops and hollows have the lines of what is around
        strength = (steep / (around / 4 + FLAT**2)).sqrt_().clamp_(max=1)  # fainter where less than half as steep as around
        # What is even must have a logarithm, whatever a convolution makes of zeros.
        octave = around.clamp_(min=FLAT**4).log2_().mul_(0.5).add_(math.log2(SPACING / LEAST)).clamp_(0, OCTAVES - 1)
        # From block to block both change smoothly: steps would stay on the screen while the scene moves.
        octave, strength = filtered(octave, self.pixels), filtered(strength, self.pixels)
        finer = octave.floor()
        coarser = octave.sub_(finer)
        phase = torch.exp2(finer.neg_()).mul_(math.pi / LEAST).mul_(light)
        # (1 - coarser) sin(2 phase) + coarser sin(phase): the lines of one octave and of the next.
        return phase.cos().mul_(2 - 2 * coarser).add_(coarser).mul_(phase.sin_()).mul_(strength)


def folded_light() -> Tensor:
    """Brightness of half-size pixels, smoothed by [1, 2, 1] / 4 along each axis, in blocks: ``(4, 12, 3, 3)``."""
    return as_convolution(lambda pixels: smoothed(pixels).mean(1, keepdim=True))
