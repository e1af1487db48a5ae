"""How strong strokes are to be: in each frame, and from place to place.

Added flicker is the warping error over the variance, and most of that error is sharpness. A soft frame is painted softer than
paintings are, and calmer; a sharp one flickers more. Both are brought nearer to one sharpness.

Where half-size pixels differ little from their neighbours in brightness, what is fine is mostly noise: the grain of a
photograph, which no painting has. Where they differ a lot, at edges, there is enough to be seen.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.ops.lines import Lines
from lightning_modules.ops.statistics import full_precision

# The share of the contrast (both as root mean squares over a frame) that detail is brought to, as far as these factors reach:
# usual for photographs; a quarter of the frames that the default run trains on have less than 0.24.
USUAL, LOWEST, HIGHEST = 0.26, 0.8, 2.0
GRAIN = 0.75 / 127.5  # where half-size pixels are that much brighter or darker than the mean around them, half is drawn
EDGE = 10 / 127.5  # slopes from half-size pixel to the next, from which on strokes do not grow with them
TINY = 1e-6  # squared, an eighth of a grey level: flat frames have no detail


class Summary(NamedTuple):
    """Of frames whose pixels are grouped in blocks, in float32 at least."""

    mean: Tensor  # colour: (N, 3)
    covariance: Tensor  # of the mean colours of blocks: (N, 3, 3)
    variance: Tensor  # of the colours of pixels, added up: (N,)


class Summarise(nn.Module):
    """Summaries of frames in blocks ``(N, 3 pixels, h, w)``: three colours of the first pixel, then of the next.

    Args:
        pixels: of a block.
    """

    average: Tensor

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels
        self.register_buffer("average", torch.eye(3).repeat(1, pixels) / pixels, persistent=False)

    def forward(self, blocks: Tensor) -> Summary:
        with torch.autocast(blocks.device.type, enabled=False):
            means = full_precision(self.average.to(blocks.dtype) @ blocks.flatten(2))
            mean = means.mean(2)
            # Around the mean: of a bright frame of little contrast, sums of squares would be too coarse in float32.
            away, around = means - mean[..., None], blocks - mean.to(blocks.dtype).repeat(1, self.pixels)[..., None, None]
            squares = torch.linalg.vector_norm(around, dim=(1, 3), dtype=means.dtype).square()  # of rows, for the same reason
            count = means.shape[2]
            return Summary(mean, away @ away.mT / count, squares.sum(1) / (self.pixels * count))


def detail_factor(seen: Summary) -> Tensor:
    """What to multiply strokes of frames with: ``(N,)`` in [``LOWEST``, ``HIGHEST``].

    What pixels differ by within blocks is taken for detail.
    """
    detail = seen.variance - seen.covariance.diagonal(dim1=1, dim2=2).sum(1)
    share = detail.clamp(min=TINY) / seen.variance.clamp(min=TINY)
    return USUAL * share.clamp((USUAL / HIGHEST) ** 2, (USUAL / LOWEST) ** 2).rsqrt()


def stroke_share(lines: Lines) -> Tensor:
    """How strong strokes are to be from place to place: in blocks ``(N, 4, h, w)``, in [0, 1)."""
    return lines.fine / (lines.fine + GRAIN**2) * (1 + lines.steep / EDGE**2).rsqrt()
