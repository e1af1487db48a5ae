import torch
from torch import nn

from fit.evaluation.tools import Tools
from lightning_modules.metrics.extractor import RandomFeatures

PICTURES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_every_network_looks_once() -> None:
    seen = Tools(RandomFeatures(), inception=nn.Flatten(), art=nn.Flatten(2)).see(PICTURES)  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(seen.deep, RandomFeatures()(PICTURES), strict=True))
    assert seen.inception.shape == (2, 3 * 32 * 32)
    assert seen.art.shape == (2, 3, 32 * 32)


def test_networks_that_are_not_here_see_nothing() -> None:
    seen = Tools(RandomFeatures()).see(PICTURES)
    assert (seen.inception, seen.art) == (None, None)
