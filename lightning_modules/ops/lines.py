"""The lines of a picture: the direction in which brightness varies least, how steep it is there, how much of it is fine.

The direction is that of the structure tensor (Bigun and Granlund, ICCV 1987), averaged over an area.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.ops.filters import SIDE, as_convolution, convolved, doubled, filtered, slopes, smoothed, tent

PIXELS = SIDE**2  # of a block
AROUND = 4  # blocks to each side over which slopes are averaged, by a tent
TINY = (0.1 / 127.5) ** 2  # where slopes are less steep than that, their direction is one of rounding errors


class Lines(NamedTuple):
    """Around each half-size pixel, in blocks ``(N, 4, h, w)``, without a gradient.

    All change smoothly from block to block: steps would stay on the screen while the scene moves.
    """

    cos: Tensor  # of twice their angle; both are smaller where slopes around have many directions
    sin: Tensor
    steep: Tensor  # mean square of slopes from half-size pixel to the next
    fine: Tensor  # of what half-size pixels differ by from the mean around them


class FindLines(nn.Module):
    """Lines of half-size pictures, given what ``folded_slopes`` makes of them."""

    products: Tensor
    doubled: Tensor
    reach = AROUND + 1  # blocks

    def __init__(self) -> None:
        super().__init__()
        # From the squares of slopes r and d, to the right and down, of r + d, and of what is finer, f, to r r - d d, 2 r d,
        # r r + d d and f f.
        products = torch.tensor([[1.0, -1, 0, 0], [-1, -1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]).repeat(1, PIXELS) / PIXELS
        self.register_buffer("products", products[..., None, None], persistent=False)
        self.register_buffer("doubled", as_convolution(doubled, 1, seen=1), persistent=False)

    @torch.no_grad()
    def forward(self, slopes: Tensor) -> Lines:
        """``(N, 16, h, w)``, float32 or float64, to lines of the same blocks."""
        around = tent(convolved(slopes.square(), self.products).contiguous(), AROUND)
        smooth = filtered(around.flatten(0, 1)[:, None], self.doubled)
        first, second, steep, fine = smooth.view(len(slopes), 4, PIXELS, *slopes.shape[2:]).unbind(1)
        along = (steep + TINY).reciprocal_().neg_()  # a line lies across the slope
        return Lines(first * along, second * along, steep, fine)


def folded_slopes() -> Tensor:
    """What ``FindLines`` takes of the brightness of blocks, ``(16, 12, 3, 3)``.

    Brightness is smoothed by [1, 2, 1] / 4 along each axis; then its slopes, and what was finer.
    """

    def sloping(pixels: Tensor) -> Tensor:
        light = pixels.mean(1, keepdim=True)
        smooth = smoothed(light)
        down, right = slopes(smooth).chunk(2, 1)
        return torch.cat([right, down, right + down, light - smooth], 1)

    return as_convolution(sloping)
