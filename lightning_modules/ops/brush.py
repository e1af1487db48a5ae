"""Strokes: what a picture differs by from place to place, drawn out along its lines.

A brush follows what it paints. So contrasts are averaged along the direction in which brightness varies least, and made about
equally strong wherever there are any (Kang, Lee and Chui, "Flow-based image abstraction", IEEE TVCG 2009, who follow curves).
Averages hold back noise and whatever else does not lie on the scene, so that such strokes flicker far less than contrasts that
know no direction (docs/method.md), without memory or optical flow.

The direction is that of the structure tensor (Bigun and Granlund, ICCV 1987). A filter turned by it is a sum of three fixed
ones (Freeman and Adelson, "The design and use of steerable filters", IEEE TPAMI 1991), so nothing is looked up.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.ops.filters import SIDE, as_convolution, convolved, doubled, filtered, slopes, smoothed

COLOURS, PIXELS = 3, SIDE**2
REACH = 4  # half-size pixels that a stroke is averaged over, to each side
ALONG, ACROSS, BESIDE = 3.0, 0.6, 1.8  # standard deviations of a stroke's length and width, and of what it differs from
GAIN = 2.8  # of contrasts in units of the slopes around
FLAT = 3 / 127.5  # slope from half-size pixel to the next; where it is less around, strokes fade, lest noise be drawn
AROUND = (1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)  # weights of blocks, along each axis, over which slopes are averaged
TINY = (0.1 / 127.5) ** 2  # where slopes are less steep than that, their direction is one of rounding errors


class Brush(nn.Module):
    """Half-size pictures in blocks of 2x2 pixels to strokes in each of their colours, in such blocks."""

    drawn: Tensor
    products: Tensor
    around: Tensor
    reach = max(REACH // SIDE, len(AROUND) // 2 + 1)  # blocks

    def __init__(self) -> None:
        super().__init__()
        filters = GAIN * steerable()
        drawn = as_convolution(lambda light: F.conv2d(light, filters, padding=REACH), 1, size=2 * (REACH // SIDE) + 1)
        around = as_convolution(lambda blocks: doubled(averaged(blocks)), 1, seen=1, size=len(AROUND) + 2)
        # From the squares of slopes r and d, to the right and down, and of r + d, to r r - d d, 2 r d and r r + d d.
        products = torch.tensor([[1.0, -1.0, 0.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 0.0]]).repeat(1, PIXELS) / PIXELS
        for name, buffer in (("drawn", by_part(drawn, 3)), ("products", products[..., None, None]), ("around", around)):
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, colours: Tensor, slopes: Tensor) -> Tensor:
        """Draw, given what ``folded_colours`` makes of a picture.

        Args:
            colours: smooth ones, the pixels of one colour after those of the other, ``(N, 12, h, w)`` in [-1, 1], float32 or
                float64.
            slopes: of brightness, ``(N, 12, h, w)``.

        Returns:
            ``(N, 12, h, w)``, in the order of ``colours``; mostly in [-3, 3], to be bounded.
        """
        cos, sin, strength = self.direction(slopes)
        n, _, height, width = colours.shape
        apart = colours.view(n, COLOURS, PIXELS, height, width).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        even, first, second = filtered(apart, self.drawn).view(n, COLOURS, -1, height, width).chunk(3, 2)
        return torch.addcmul(even, cos, first).addcmul_(sin, second).mul_(strength).flatten(1, 2)

    @torch.no_grad()
    def direction(self, slopes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cosine and sine of twice the angle of strokes, and how strong to make contrasts: ``(N, 1, 4, h, w)`` each.

        Cosine and sine are smaller where slopes around have many directions: strokes are shorter there. All change smoothly
        from block to block: steps would stay on the screen while the scene moves.
        """
        products = convolved(slopes.square(), self.products)
        smooth = filtered(products.flatten(0, 1)[:, None], self.around)
        first, second, steep = smooth.view(len(slopes), 3, 1, PIXELS, *slopes.shape[2:]).unbind(1)
        along = (steep + TINY).reciprocal_().neg_()  # a stroke lies across the slope
        return first * along, second * along, (steep + FLAT**2).rsqrt_()


def averaged(blocks: Tensor) -> Tensor:
    """The tent of ``AROUND`` along each axis, ``(N, 1, h, w)`` to the same shape."""
    row = torch.tensor(AROUND)
    return F.conv2d(blocks, (row[:, None] * row)[None, None], padding=len(AROUND) // 2)


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
    """Colours smoothed by [1, 2, 1] / 4 along each axis, and slopes of brightness, for ``Brush``: ``(24, 12, 3, 3)``."""

    def sloping(pixels: Tensor) -> Tensor:
        down, right = slopes(smoothed(pixels).mean(1, keepdim=True)).chunk(2, 1)
        return torch.cat([right, down, right + down], 1)

    return torch.cat([by_part(as_convolution(smoothed), COLOURS), as_convolution(sloping)])
