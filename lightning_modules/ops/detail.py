"""How much of a frame's contrast is fine detail, and how much of that detail to paint with.

Added flicker is the warping error over the variance, and most of that error is sharpness. A soft frame is painted softer than
paintings are, and calmer; a sharp one flickers more. Both are brought nearer to one sharpness.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.ops.statistics import full_precision

# The share of the contrast (both as root mean squares over a frame) that detail is brought to, as far as these factors reach:
# the lower quartile of the frames that the default run trains on, and usual for photographs.
SHARE, LEAST, MOST = 0.24, 0.8, 2.0
TINY = 1e-6  # squared, an eighth of a grey level: flat frames have no detail


class Moments(NamedTuple):
    """Of frames in blocks: the mean colour ``(N, 3)``; of colours of blocks, and of single pixels' ones, the mean square."""

    mean: Tensor
    blocks: Tensor  # (N, 3, 3): of all pairs of colours
    pixels: Tensor  # (N,): added up over colours

    @property
    def covariance(self) -> Tensor:
        """Of the colours of blocks, ``(N, 3, 3)``."""
        return self.blocks - self.mean[:, :, None] * self.mean[:, None]


def moments(blocks: Tensor) -> Moments:
    """Of frames in blocks ``(N, 3 pixels, h, w)``, pixel by pixel, in float32 at least."""
    pixels = blocks.shape[1] // 3
    with torch.autocast(blocks.device.type, enabled=False):
        means = full_precision((torch.eye(3).repeat(1, pixels) / pixels).to(blocks) @ blocks.flatten(2))
        norm = torch.linalg.vector_norm(blocks, dim=(1, 2, 3), dtype=means.dtype)
        count = means.shape[2]
        return Moments(means.mean(2), means @ means.mT / count, norm.square() / (pixels * count))


def detail_factor(seen: Moments) -> Tensor:
    """What to multiply the finest detail of frames with: ``(N,)`` in [``LEAST``, ``MOST``].

    What pixels differ by within blocks is taken for detail.
    """
    detail = seen.pixels - seen.blocks.diagonal(dim1=1, dim2=2).sum(1)
    contrast = seen.pixels - seen.mean.square().sum(1)
    share = detail.clamp(min=TINY) / contrast.clamp(min=TINY)
    return SHARE * share.clamp((SHARE / MOST) ** 2, (SHARE / LEAST) ** 2).rsqrt()
