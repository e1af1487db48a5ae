"""Channels-last storage: another order in memory, the same numbers."""

import torch
from torch import nn

from lightning_modules.ops.layout import channels_last


def test_stores_convolutions_channels_last_and_computes_the_same() -> None:
    pictures, clips = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 4, 8, 8)
    for network, x, layout in (
        (nn.Sequential(nn.Conv2d(3, 5, 3), nn.ConvTranspose2d(5, 4, 3)), pictures, torch.channels_last),
        (nn.Sequential(nn.Conv3d(3, 5, 3)), clips, torch.channels_last_3d),
    ):
        before = network(x)
        parameters = list(network.parameters())
        channels_last(network)
        assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))  # optimizers still know them
        for module in network:
            assert module.weight.is_contiguous(memory_format=layout)
        after = network(x)
        assert after.is_contiguous(memory_format=layout)  # activations follow
        torch.testing.assert_close(after, before)
