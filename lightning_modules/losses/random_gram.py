"""Gram distance in the features of small random networks: how strongly colours and edges occur together, nothing pretrained.

Gatys et al. 2016 compare pictures by the Gram matrices of deep features; Ustyuzhaninov et al., "What does it take to generate
natural textures?", ICLR 2017, showed that for textures the features need not be trained. Being quadratic, it is what holds
back single pictures that are far too strong, of which a distance between distributions takes little notice.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.statistics import full_precision

WIDTHS, KERNEL, SCALES = (32, 48), 3, 3
TINY = 1e-8  # keeps the root differentiable at 0

Layers = list[tuple[Tensor, Tensor]]


def random_layers(generator: torch.Generator) -> Layers:
    """Filters of two convolutions for each octave, drawn on the CPU; half of the first ones see no plain colour."""
    first, second = WIDTHS
    layers = []
    for _ in range(SCALES):
        edges = torch.randn(first, 3, KERNEL, KERNEL, generator=generator)
        edges[::2] -= edges[::2].mean((-2, -1), keepdim=True)
        edges /= edges.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        mixed = torch.randn(second, first, KERNEL, KERNEL, generator=generator)
        layers.append((edges, mixed * (2 / (first * KERNEL**2)) ** 0.5))  # He et al. 2015: keeps the scale
    return layers


def random_gram_distance(fake: Tensor, real: Tensor, layers: Layers) -> Tensor:
    """Mean over octaves of |mean Gram of fake - mean Gram of real| / |mean Gram of real|, norms of Frobenius.

    Args:
        fake: ``(N, 3, H, W)`` in [-1, 1].
        real: ``(M, 3, H, W)``; no gradient reaches it.
        layers: of ``random_layers``.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: pictures of different sizes, or too small for the coarsest octave.
    """
    least = (2 * KERNEL - 1) << (SCALES - 1)
    if fake.shape[1:] != real.shape[1:] or min(fake.shape[-2:]) < least:
        raise ValueError(
            f"random_gram_distance: expected pictures of one size, sides at least {least}, got {tuple(fake.shape)} and "
            f"{tuple(real.shape)}"
        )
    terms = []
    with torch.no_grad():
        targets = _grams(full_precision(real), layers)
    for ours, target in zip(_grams(full_precision(fake), layers), targets, strict=True):
        terms.append(((ours - target).square().sum() / target.square().sum().clamp(min=TINY) + TINY).sqrt())
    return torch.stack(terms).mean()


def _grams(pictures: Tensor, layers: Layers) -> list[Tensor]:
    """Mean Gram matrix ``(C, C)`` for each octave."""
    grams = []
    for edges, mixed in layers:
        features = F.relu(F.conv2d(F.relu(F.conv2d(pictures, edges.to(pictures))), mixed.to(pictures))).flatten(2)
        grams.append((features @ features.mT).mean(0) / features.shape[-1])
        pictures = F.avg_pool2d(pictures, 2)
    return grams
