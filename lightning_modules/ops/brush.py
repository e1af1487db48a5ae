"""Strokes: what brightness differs by from pixel to pixel, drawn out along the lines of a picture.

A brush follows what it paints. So contrasts are averaged along the direction in which brightness varies least (Kang, Lee and
Chui, "Flow-based image abstraction", IEEE TVCG 2009, who follow curves). Averages hold back noise and whatever else does not
lie on the scene, so that strokes flicker far less than the frame's own detail, as strong (docs/experiments.md), without memory
or optical flow.

A filter turned by an angle is a sum of three fixed ones (Freeman and Adelson, "The design and use of steerable filters", IEEE
TPAMI 1991), so nothing is looked up.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.ops.filters import SIDE, as_convolution, convolved, doubled, filtered
from lightning_modules.ops.fold import bordered
from lightning_modules.ops.lines import Lines

BLOCK = 2 * SIDE  # full-size pixels along the side of a block
PARTS = 3  # that a turned filter is a sum of
REACH = 4  # pixels that a stroke is averaged over, to each side
ALONG, ACROSS, BESIDE = 3.0, 0.45, 1.8  # standard deviations of a stroke's length and width, and of what it differs from
GAIN = 7.2  # strokes are about as strong as the paintings' then


class Brush(nn.Module):
    """Strokes of the full-size pixels of frames: in place of the finest detail, which no halved frame has."""

    drawn: Tensor
    doubled: Tensor

    def __init__(self) -> None:
        super().__init__()
        filters = GAIN * steerable()
        drawn = as_convolution(lambda light: F.conv2d(light, filters, padding=REACH), 1, block=BLOCK, seen=BLOCK)
        # What the first of them makes of all pixels, then what the second does.
        drawn = drawn.view(-1, PARTS, *drawn.shape[1:]).transpose(0, 1).flatten(0, 1)
        self.register_buffer("drawn", drawn.contiguous(memory_format=torch.channels_last), persistent=False)
        self.register_buffer("doubled", as_convolution(doubled, 1, block=BLOCK), persistent=False)

    def forward(self, light: Tensor, share: Tensor, lines: Lines) -> Tensor:
        """Draw brightness.

        Args:
            light: in blocks of 4x4 pixels, ``(N, 16, h, w)``, of any unit.
            share: how strong strokes are to be at each half-size pixel, ``(N, 4, h, w)``.
            lines: of the same blocks.

        Returns:
            ``(N, 16, h, w)`` in the same unit.
        """
        weights = torch.stack([share, share * lines.cos, share * lines.sin], 1).to(light.dtype)
        of_even, of_first, of_second = filtered(weights.flatten(0, 1), self.doubled).view(-1, PARTS, *light.shape[1:]).unbind(1)
        even, first, second = convolved(bordered(light, BLOCK), self.drawn).chunk(PARTS, 1)
        return (of_even * even).addcmul_(of_first, first).addcmul_(of_second, second)


def turned(angle: float) -> Tensor:
    """How much a line at this angle differs from what is beside it: a filter of sum 0, ``(2 REACH + 1, 2 REACH + 1)``."""
    places = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    fading = (1 - places.abs() / (REACH + 1)).sqrt()
    y, x = torch.meshgrid(places, places, indexing="ij")
    along, across = x * math.cos(angle) + y * math.sin(angle), x * math.sin(angle) - y * math.cos(angle)
    near = fading[:, None] * fading * torch.exp(-(along**2) / (2 * ALONG**2))
    line, beside = (near * torch.exp(-(across**2) / (2 * width**2)) for width in (ACROSS, BESIDE))
    return line / line.sum() - beside / beside.sum()


def steerable(angles: int = 32) -> Tensor:
    """Filters a, b and c: of all a + b cos(2 angle) + c sin(2 angle) the closest to ``turned``, ``(3, 1, side, side)``."""
    turns = [math.pi * i / angles for i in range(angles)]
    waves = torch.tensor([[1.0, 2 * math.cos(2 * turn), 2 * math.sin(2 * turn)] for turn in turns], dtype=torch.float64)
    filters = torch.stack([turned(turn) for turn in turns])
    return (torch.einsum("tw,tyx->wyx", waves, filters) / angles)[:, None].float()
