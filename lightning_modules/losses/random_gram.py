"""Gram distance in the features of small random networks: how strongly colours and edges occur together, nothing pretrained.

Gatys et al. 2016 compare pictures by the Gram matrices of deep features; Ustyuzhaninov et al., "What does it take to generate
natural textures?", ICLR 2017, showed that for textures the features need not be trained. Being quadratic, it is what holds
back single pictures that are far too strong, of which a distance between distributions takes little notice. The filters stay
the same for a whole run, so that of earlier pictures only the Gram matrices need be kept.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.losses.patch_distribution import colour_blind, unit, vivid
from lightning_modules.ops.statistics import full_precision, gram

WIDTHS, KERNEL, SCALES = (24, 32), 3, 3
TINY = 1e-8  # keeps the root differentiable at 0

Layers = list[list[tuple[Tensor, Tensor]]]


def random_layers(generator: torch.Generator) -> Layers:
    """Filters of two small networks of two convolutions for each octave, drawn on the CPU.

    The first of each two sees colours; the second sees no plain colour, which would drown the contrast of strokes.
    """
    first, second = WIDTHS
    layers: Layers = [[] for _ in range(SCALES)]
    for octave in layers:
        for seen in (vivid, colour_blind):
            edges = unit(seen(torch.randn(first, 3, KERNEL, KERNEL, generator=generator)))
            mixed = torch.randn(second, first, KERNEL, KERNEL, generator=generator)
            octave.append((edges, mixed * (2 / (first * KERNEL**2)) ** 0.5))  # He et al. 2015: keeps the scale
    return layers


def random_grams(pictures: Tensor, layers: Layers) -> Tensor:
    """Gram matrices of pictures in random features.

    Args:
        pictures: ``(N, 3, H, W)`` in [-1, 1].
        layers: of ``random_layers``.

    Returns:
        ``(N, networks, C, C)`` in float32, two networks for each octave.

    Raises:
        ValueError: pictures too small for the coarsest octave.
    """
    least = (2 * KERNEL - 1) << (SCALES - 1)
    if min(pictures.shape[-2:]) < least:
        raise ValueError(f"random_grams: expected pictures with sides of at least {least}, got {tuple(pictures.shape)}")
    pictures, grams = full_precision(pictures), []
    for octave in layers:
        for edges, mixed in octave:
            features = F.relu(F.conv2d(F.relu(F.conv2d(pictures, edges.to(pictures))), mixed.to(pictures)))
            grams.append(gram(features))
        pictures = F.avg_pool2d(pictures, 2)
    return torch.stack(grams, 1)


def random_gram_distance(fake: Tensor, real: Tensor) -> Tensor:
    """Mean over networks of |mean Gram of fake - mean Gram of real| / |mean Gram of real|, norms of Frobenius.

    Args:
        fake: ``(N, networks, C, C)`` of ``random_grams``.
        real: ``(M, networks, C, C)``; no gradient reaches it.

    Returns:
        A scalar >= 0.
    """
    target = real.detach().mean(0)
    apart = (fake.mean(0) - target).square().sum((-2, -1)) / target.square().sum((-2, -1)).clamp(min=TINY)
    return (apart + TINY).sqrt().mean()
