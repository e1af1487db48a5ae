"""Sliced Wasserstein distance between the patches of two sets of pictures: palette and brushwork, no pretrained network.

Elnekave and Weiss, "Generating natural images with direct patch distributions matching", ECCV 2022; the sliced distance is
Rabin et al. 2011. A linear projection of all patches is one convolution, and in one dimension optimal transport is sorting.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.statistics import full_precision

# How much light, blue against yellow and red against green count, as trained networks see them: in photographs they vary in
# this order, red and green least of all.
OPPONENTS = (1.0, 2.0, 6.0)
LEAST_SPREAD = 0.01  # on [-1, 1]: about a grey level; less is flat


def random_filters(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Directions to project patches on: ``(count, 3, size, size)`` of unit norm, drawn on the CPU."""
    return unit(torch.randn(count, 3, size, size, generator=generator))


def unit(filters: Tensor) -> Tensor:
    """The same directions, of unit norm."""
    norm: Tensor = filters.flatten(1).norm(dim=1)
    return filters / norm.view(-1, 1, 1, 1)


def colour_blind(filters: Tensor) -> Tensor:
    """The same directions without each colour's mean, so that they see a patch's texture and nothing of its colour."""
    return filters - filters.mean((-2, -1), keepdim=True)


def vivid(filters: Tensor) -> Tensor:
    """The same filters with light and the differences between colours counted as ``OPPONENTS`` says.

    Args:
        filters: ``(K, 3, ...)``.
    """
    axes = opponent_axes().to(filters)
    counted = torch.tensor(OPPONENTS).to(filters)[:, None] * axes
    return torch.einsum("ac,ad,kd...->kc...", axes, counted, filters)


def opponent_axes() -> Tensor:
    """Unit vectors in RGB, one a row: light, yellow against blue, red against green."""
    axes = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]])
    return axes / axes.norm(dim=1, keepdim=True)


def patch_distance(
    fake: Tensor, real: Tensor, filters: Tensor, relative: bool = False, scales: int = 3, stride: int = 4
) -> Tensor:
    """Mean over projections and scales of the 1-Wasserstein distance between the projected patches.

    Args:
        fake: ``(N, 3, H, W)`` in [-1, 1].
        real: ``(M, 3, H, W)``; its distribution is the target, and the more pictures, the steadier.
        filters: ``(K, 3, k, k)``.
        relative: count each projection in units of the real patches' spread along it. Plain distances mostly show colour,
            whose contrast is many times that of texture.
        scales: number of octaves, each halving the pictures, >= 1.
        stride: every how many pixels a patch is taken, >= 1.

    Returns:
        A scalar >= 0; 0 when both sets hold the same patches, wherever these lie.

    Raises:
        ValueError: the pictures differ in size, or the coarsest are smaller than a patch.
    """
    least = filters.shape[-1] << (scales - 1)
    if fake.shape[1:] != real.shape[1:] or min(fake.shape[-2:]) < least:
        raise ValueError(
            f"patch_distance: expected pictures of one size, sides at least {least}, got {tuple(fake.shape)} and "
            f"{tuple(real.shape)}; use fewer scales or larger pictures"
        )
    fake, real = full_precision(fake), full_precision(real)
    terms = []
    for scale in range(scales):
        if scale:
            fake, real = F.avg_pool2d(fake, 2), F.avg_pool2d(real, 2)
        ours, theirs = (_sorted_projections(pictures, filters, stride) for pictures in (fake, real))
        # Of the larger set, the quantiles that the values of ours stand for.
        rank = (torch.arange(ours.shape[1], device=ours.device) + 0.5) * theirs.shape[1] / ours.shape[1]
        distance = (ours - theirs[:, rank.long()]).abs().mean(1)
        spread = theirs.std(dim=1, correction=0).clamp(min=LEAST_SPREAD) if relative else 1.0
        terms.append((distance / spread).mean())
    return torch.stack(terms).mean()


def _sorted_projections(pictures: Tensor, filters: Tensor, stride: int) -> Tensor:
    """``(K, patches)``, ascending; in the type of the pictures, for the differences of sorted values are small beside them."""
    with torch.autocast(pictures.device.type, enabled=False):
        return F.conv2d(pictures, filters.to(pictures), stride=stride).transpose(0, 1).flatten(1).sort(dim=1).values
