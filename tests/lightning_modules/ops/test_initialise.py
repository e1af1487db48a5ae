"""Where training starts."""

import pytest
import torch
from torch import nn

from lightning_modules.ops.initialise import normal_init


def test_convolutions_norms_and_biases() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(32, 64, 3), nn.ConvTranspose2d(64, 32, 3), nn.Conv3d(8, 16, 3), nn.BatchNorm2d(4096)]
    normal_init(nn.ModuleList([nn.Sequential(*layers[:2]), *layers[2:], nn.InstanceNorm2d(8), nn.LeakyReLU()]))
    for layer in layers[:3]:
        assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert layers[3].weight.mean().item() == pytest.approx(1, abs=1e-3)
    assert layers[3].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert all((layer.bias == 0).all() for layer in layers)
