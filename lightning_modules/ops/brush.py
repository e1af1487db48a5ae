"""Strokes: what a picture differs by from place to place, drawn out along its lines.

A brush follows what it paints. So contrasts are averaged along the direction in which brightness varies least, and faint ones
made about as strong as clear ones (Kang, Lee and Chui, "Flow-based image abstraction", IEEE TVCG 2009, who follow curves).
Averages hold back noise and whatever else does not lie on the scene, so that such strokes flicker far less than contrasts that
know no direction (docs/experiments.md), without memory or optical flow.

The direction is that of the structure tensor (Bigun and Granlund, ICCV 1987). A filter turned by it is a sum of three fixed
ones (Freeman and Adelson, "The design and use of steerable filters", IEEE TPAMI 1991), so nothing is looked up.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.ops.filters import SIDE, as_convolution, convolved, doubled, filtered, slopes, smoothed, tent

COLOURS, PIXELS = 3, SIDE**2
REACH = 4  # half-size pixels that a stroke is averaged over, to each side
ALONG, ACROSS, BESIDE = 3.0, 0.6, 1.8  # standard deviations of a stroke's length and width, and of what it differs from
GAIN = 2.8  # of contrasts in units of the slopes around
# Slopes from half-size pixel to the next. Where they are less around, strokes fade, lest noise be drawn. Where they are more,
# too: there is enough to be seen, and a rim beside every edge looks like a filter, not like paint, and flickers with it.
FLAT, STEEP = 5 / 127.5, 8 / 127.5
AROUND = 4  # blocks to each side over which slopes are averaged, by a tent
TINY = (0.1 / 127.5) ** 2  # where slopes are less steep than that, their direction is one of rounding errors


class Brush(nn.Module):
    """Half-size pictures in blocks of 2x2 pixels to strokes in each of their colours, in such blocks."""

    drawn: Tensor
    products: Tensor
    doubled: Tensor
    reach = max(REACH // SIDE, AROUND + 1)  # blocks

    def __init__(self) -> None:
        super().__init__()
        filters = GAIN * steerable()
        drawn = as_convolution(lambda light: F.conv2d(light, filters, padding=REACH), 1, size=2 * (REACH // SIDE) + 1)
        twice = as_convolution(doubled, 1, seen=1)
        # From the squares of slopes r and d, to the right and down, of r + d, and of what is finer, f, to r r - d d, 2 r d,
        # r r + d d and f f.
        products = torch.tensor([[1.0, -1, 0, 0], [-1, -1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]).repeat(1, PIXELS) / PIXELS
        for name, buffer in (("drawn", by_part(drawn, 3)), ("products", products[..., None, None]), ("doubled", twice)):
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, colours: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Draw, given what ``folded_colours`` makes of a picture.

        Args:
            colours: smooth ones, the pixels of one colour after those of the other, ``(N, 12, h, w)`` in [-1, 1], float32 or
                float64.
            slopes: of brightness, and what of it is finer than they are, ``(N, 16, h, w)``.

        Returns:
            Strokes ``(N, 12, h, w)``, in the order of ``colours``; mostly in [-3, 3], to be bounded. And how much of brightness
            is fine around, ``(N, 4, h, w)``: its mean square, without a gradient.
        """
        cos, sin, steep, fine = self.around(slopes)
        strength = ((steep + FLAT**2) * (1 + steep / STEEP**2)).rsqrt()
        n, _, height, width = colours.shape
        apart = colours.view(n, COLOURS, PIXELS, height, width).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        even, first, second = filtered(apart, self.drawn).view(n, COLOURS, -1, height, width).chunk(3, 2)
        return torch.addcmul(even, cos, first).addcmul_(sin, second).mul_(strength).flatten(1, 2), fine[:, 0]

    @torch.no_grad()
    def around(self, slopes: Tensor) -> tuple[Tensor, ...]:
        """Cosine and sine of twice the angle of strokes, how steep brightness is and how fine: ``(N, 1, 4, h, w)`` each.

        Cosine and sine are smaller where slopes around have many directions: strokes are shorter there. All change smoothly
        from block to block: steps would stay on the screen while the scene moves.
        """
        around = tent(convolved(slopes.square(), self.products).contiguous(), AROUND)
        smooth = filtered(around.flatten(0, 1)[:, None], self.doubled)
        first, second, steep, fine = smooth.view(len(slopes), 4, 1, PIXELS, *slopes.shape[2:]).unbind(1)
        along = (steep + TINY).reciprocal_().neg_()  # a stroke lies across the slope
        return first * along, second * along, steep, fine


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


def by_part(filters: Tensor, parts: int) -> Tensor:
    """Filters in another order: the pixels of one part after those of the other, not the parts of one pixel after another's."""
    ordered = filters.view(-1, parts, *filters.shape[1:]).transpose(0, 1).flatten(0, 1)
    return ordered.contiguous(memory_format=torch.channels_last)


def folded_colours() -> Tensor:
    """Colours smoothed by [1, 2, 1] / 4 along each axis, for ``Brush``, and what it takes of brightness: ``(28, 12, 3, 3)``."""

    def sloping(pixels: Tensor) -> Tensor:
        light = pixels.mean(1, keepdim=True)
        smooth = smoothed(light)
        down, right = slopes(smooth).chunk(2, 1)
        return torch.cat([right, down, right + down, light - smooth], 1)

    return torch.cat([by_part(as_convolution(smoothed), COLOURS), as_convolution(sloping)])
