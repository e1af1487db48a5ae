"""Memory layout: convolutions are faster on most devices when the channels of a pixel lie together."""

import torch
from torch import nn


def channels_last(network: nn.Module) -> None:
    """Store the weights of all convolutions channels-last, in place; activations follow by themselves."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)
