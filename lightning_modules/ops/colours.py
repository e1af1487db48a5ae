"""How far colours lie from grey and from one another: of frames that are painted, and of the paintings they are to look like.

Both modules are for painting, not for training. A network trained on raised frames would not know pale ones, and one whose
colours were held back in training would get no gradient where it goes too far.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.ops.detail import Summary
from lightning_modules.ops.filters import tent
from lightning_modules.ops.layers import repeat_edges
from lightning_modules.ops.statistics import full_precision

# Of RGB: yellow against blue, red against green, both of length 1 and across grey. What lies along them is called chroma here.
AXES = torch.tensor([[1.0, 1.0, -2.0], [3.0**0.5, -(3.0**0.5), 0.0]]) / 6**0.5
LUMA = torch.tensor([0.2126, 0.7152, 0.0722])  # shares of red, green and blue (ITU-R BT.709)
# Paler frames are raised to this, up to threefold; a quarter of the frames that the default run trains on are below 0.144.
SPREAD, MOST = 0.17, 3.0
WITHIN = 1.5  # standard deviations from their mean that the style's chroma may reach in areas
# From a block's value and the differences between its neighbours, left and right, above and below, to its pixels.
LINEAR = torch.tensor([[1.0, 1.0, 1.0, 1.0], [-1 / 8, 1 / 8, -1 / 8, 1 / 8], [-1 / 8, -1 / 8, 1 / 8, 1 / 8]])
PIXELS = 4  # of a block
AROUND = 5  # pixels along the side of what strokes differ from


class RaisedColours(nn.Module):
    """Gives pale frames more colour: what deviates from their mean chroma is multiplied, light and mean stay."""

    chroma: Tensor
    unchanged: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("chroma", chroma_of_blocks(), persistent=False)
        self.register_buffer("unchanged", torch.eye(3 * PIXELS), persistent=False)

    @staticmethod
    def missing(seen: Summary) -> Tensor:
        """How much is to be added to deviations of such frames, as a share of them.

        Returns:
            ``(N,)``: 0 where chroma of blocks spreads by ``SPREAD`` or more, else up to ``MOST`` - 1.
        """
        grey = seen.covariance.sum((1, 2)) / 3  # what varies along grey
        square = seen.covariance.diagonal(dim1=1, dim2=2).sum(1) - grey
        return SPREAD * square.clamp((SPREAD / MOST) ** 2, SPREAD**2).rsqrt() - 1

    def forward(self, blocks: Tensor, more: Tensor) -> Tensor:
        """Raise blocks of frames that miss so much: around grey, which saves a pass, so that all have ``moved`` a little."""
        with torch.autocast(blocks.device.type, enabled=False):
            return as_pictures(as_rows(blocks) @ (self.unchanged + more[..., 0] * self.chroma).to(blocks.dtype), blocks)

    def moved(self, mean: Tensor, more: Tensor) -> Tensor:
        """By how much, given the mean colour ``(N, 3, 1, 1)`` before: the same shape."""
        return more * (mean - mean.mean(1, keepdim=True))


class StyleColours(nn.Module):
    """Holds areas of painted frames within the colours of a style: beyond an ellipse in the plane of chroma, back to its edge.

    Looks at blocks and their neighbours, and pales an area as a whole, so that its contrasts stay. Also knows the colour of the
    style's strokes: how its red, green and blue vary with its luma from place to place; of luma 1, and in [0, 2]. Until it
    knows a style, it holds nothing and has strokes grey.
    """

    seen: Tensor
    moments: Tensor
    centre: Tensor
    units: Tensor
    stroke: Tensor
    means: Tensor
    axes: Tensor
    chroma: Tensor
    linear: Tensor
    reach = 2  # blocks

    def __init__(self) -> None:
        super().__init__()
        for name, size in (("seen", ()), ("moments", (8,)), ("centre", (2,)), ("units", (2, 2))):
            self.register_buffer(name, torch.zeros(size))
        self.register_buffer("stroke", torch.ones(3))
        for name, values in (("means", AXES.repeat(1, PIXELS) / PIXELS), ("axes", AXES), ("chroma", chroma_of_blocks())):
            self.register_buffer(name, values, persistent=False)
        self.register_buffer("linear", LINEAR.repeat_interleave(3, dim=1), persistent=False)

    @torch.no_grad()
    def learn(self, moments: Tensor, share: float = 1.0, anew: bool = False) -> None:
        """Add the ``style_moments`` of further pictures to those there were.

        Args:
            moments: ``(8,)``.
            share: of a batch that these pictures are; batches count alike.
            anew: forget those there were, which were another style's.
        """
        self.seen.mul_(not anew).add_(share)
        self.moments.lerp_(moments.to(self.moments), share / self.seen)
        a, b, aa, ab, bb = self.moments[:5].unbind()
        # What chroma is away from its mean, times this, has variance 1: the inverse of the covariance's Cholesky factor.
        first = (aa - a * a).clamp(min=1e-6).sqrt()
        both = (ab - a * b) / first
        second = (bb - b * b - both * both).clamp(min=1e-6).sqrt()
        self.centre.copy_(torch.stack([a, b]))
        self.units.copy_(torch.stack([1 / first, first * 0, -both / (first * second), 1 / second]).view(2, 2))
        together = self.moments[5:]
        luma = together @ LUMA.to(together)  # the variance of luma
        away = (together - luma) / luma.clamp(min=1e-6)  # from grey; of luma 0
        self.stroke.copy_(1 + away / away.abs().max().clamp(min=1))

    def forward(self, paint: Tensor) -> Tensor:
        """Painted blocks ``(N, 12, h, w)`` to the same shape; in place, where they lie channels-last."""
        with torch.autocast(paint.device.type, enabled=False):
            away = (self.units @ self.means).to(paint.dtype) @ paint.flatten(2)
            away = away.sub_((self.units @ self.centre).to(paint.dtype)[:, None])
            away = tent(away.view(-1, 2, *paint.shape[2:]), 1)
            beyond = 1 - WITHIN * away.square().sum(1, keepdim=True).clamp(min=WITHIN**2).rsqrt()
            share = as_rows(torch.cat([beyond, *differences(beyond)], 1)) @ self.linear.to(paint.dtype)
            centre = (self.centre @ self.axes).repeat(PIXELS).to(paint.dtype)
            rows = as_rows(paint)
            chroma = (rows @ self.chroma.to(paint.dtype)).sub_(centre)
            return as_pictures(rows.sub_(chroma.mul_(share)), paint)


def chroma_of_blocks() -> Tensor:
    """What is left of the colours of a block without their light, ``(12, 12)``."""
    return torch.kron(torch.eye(PIXELS), AXES.T @ AXES)


def as_rows(blocks: Tensor) -> Tensor:
    """``(N, C, h, w)`` to ``(N, h w, C)``: for matrices of channels, and the way channels-last pictures lie."""
    return blocks.permute(0, 2, 3, 1).flatten(1, 2)


def as_pictures(rows: Tensor, like: Tensor) -> Tensor:
    """The reverse, of the height and width of ``like``."""
    return rows.view(len(rows), *like.shape[2:], -1).permute(0, 3, 1, 2)


def differences(values: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between the neighbours to the right and left, and below and above."""
    values = repeat_edges(values, 1)
    return values[..., 1:-1, 2:] - values[..., 1:-1, :-2], values[..., 2:, 1:-1] - values[..., :-2, 1:-1]


@torch.no_grad()
def style_moments(pictures: Tensor) -> Tensor:
    """Of ``(N, 3, H, W)``, in float32: ``(8,)``.

    The means of the chroma a, b, of aa, ab and bb; and those of red, green and blue times luma, of what pixels differ by from
    the mean of 5x5 around them.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        colours = full_precision(pictures)
        a, b = AXES.to(colours) @ colours.transpose(0, 1).flatten(1)
        inner = slice(AROUND // 2, -(AROUND // 2))
        away = (colours[..., inner, inner] - F.avg_pool2d(colours, AROUND, 1)).transpose(0, 1).flatten(1)
        chroma = torch.stack([a.mean(), b.mean(), (a * a).mean(), (a * b).mean(), (b * b).mean()])
        return torch.cat([chroma, (away * (LUMA.to(away) @ away)).mean(1)])
