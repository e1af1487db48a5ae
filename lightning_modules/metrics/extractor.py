"""Deep features that metrics compare pictures by: of a pretrained classifier, or random ones where there are no weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VGG19_Weights

from lightning_modules.losses.patch_distribution import colour_blind, vivid
from lightning_modules.losses.perceptual import FeatureExtractor
from lightning_modules.ops.pretrained import Frozen, in_cache
from lightning_modules.ops.statistics import full_precision

Kind = Literal["auto", "random", "vgg19", "squeezenet1_1"]
Extractor = Callable[[Tensor], Sequence[Tensor]]

# More filters than ``losses.random_gram`` draws, of a seed that no run has by chance, and without its coarsest octave: a
# network trained on random features is not judged by the very same.
SEED, WIDTHS, KERNEL, SCALES = 20_160_523, (32, 64), 3, 2


class RandomFeatures(Frozen):
    """Features of small random networks, the same on every machine: no weights needed.

    For textures, features need not be trained (Ustyuzhaninov et al., "What does it take to generate natural textures?", ICLR
    2017). Two networks of two convolutions look at each of two octaves: one at colours, which count more than light as they
    do in trained networks, and one that sees no plain colour, which would drown the contrast of strokes.
    """

    label = "random features"

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)
        networks = [[_network(seen, generator) for seen in (vivid, colour_blind)] for _ in range(SCALES)]
        self.octaves = nn.ModuleList(nn.ModuleList(octave) for octave in networks)
        self.freeze()

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Activations ``(N, C, h, w)``, two for each octave, the finest first.

        Args:
            frames: ``(..., 3, H, W)`` in [-1, 1], both sides at least 10; all leading sizes together are N.

        Raises:
            ValueError: smaller frames.
        """
        least = (2 * KERNEL - 1) << (SCALES - 1)
        if min(frames.shape[-2:]) < least:
            raise ValueError(f"random features: expected frames with sides of at least {least}, got {tuple(frames.shape)}")
        pictures, found = full_precision(frames.reshape(-1, *frames.shape[-3:])), []
        for octave in self.octaves.children():
            found += [network(pictures) for network in octave.children()]
            pictures = F.avg_pool2d(pictures, 2)
        return found


def extractor(kind: Kind = "auto", weights: str | Path | None = None) -> RandomFeatures | FeatureExtractor:
    """The extractor of that kind; its ``label`` says what it is and belongs beside every figure.

    Args:
        kind: ``auto`` is VGG-19 where ``weights`` are given or torchvision's lie in its cache, and random features elsewhere;
            it never downloads anything.
        weights: a file, as ``FeatureExtractor`` takes it.

    Raises:
        ValueError: an unknown kind, weights for random features, or weights that cannot be had or do not fit.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"extractor: expected one of {', '.join(get_args(Kind))}, got {kind!r}; choose one")
    if kind == "auto":
        kind = "vgg19" if weights or in_cache(VGG19_Weights.IMAGENET1K_V1.url) else "random"
    if kind != "random":
        return FeatureExtractor(kind, weights=weights)
    if weights:
        raise ValueError(f"extractor: expected no weights for random features, got {weights}; drop them or choose vgg19")
    return RandomFeatures()


def channels(features: Extractor) -> list[int]:
    """How many channels each layer of an extractor has."""
    with torch.no_grad():
        return [layer.shape[1] for layer in features(torch.zeros(1, 3, 32, 32))]


def _network(seen: Callable[[Tensor], Tensor], generator: torch.Generator) -> nn.Sequential:
    first, second = WIDTHS
    edges = seen(torch.randn(first, 3, KERNEL, KERNEL, generator=generator))
    edges /= edges.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    mixed = torch.randn(second, first, KERNEL, KERNEL, generator=generator)
    mixed *= (2 / (first * KERNEL**2)) ** 0.5  # He et al. 2015: keeps the scale
    return nn.Sequential(_convolution(edges), nn.ReLU(), _convolution(mixed), nn.ReLU())


def _convolution(weight: Tensor) -> nn.Conv2d:
    with torch.device("meta"):  # draws no random weights, which would shift those of the networks built next
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], bias=False)
    layer.load_state_dict({"weight": weight}, assign=True)
    return layer
