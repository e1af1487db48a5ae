"""Layers of torch that compute the same with less work."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaddedConv2d(nn.Conv2d):
    """A convolution that keeps the size, with a border made from the picture itself.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        kernel: its side, odd.
        border: ``reflect`` mirrors the picture at its edge, ``replicate`` repeats its last pixels.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, border: Literal["reflect", "replicate"]) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode=border)

    def forward(self, input: Tensor) -> Tensor:
        """``(N, channels_in, H, W)`` to ``(N, channels_out, H, W)``."""
        bordered = pad(input, self.kernel_size[0] // 2, self.padding_mode)
        return F.conv2d(bordered, self.weight, self.bias)


def pad(frames: Tensor, margin: int, border: str) -> Tensor:
    """``F.pad`` on all four sides, in the type of what comes: on CPUs autocast would go through float32 and back.

    Args:
        frames: ``(N, C, H, W)``.
        margin: pixels added to each side.
        border: as of ``PaddedConv2d``.
    """
    if not torch.is_autocast_enabled(frames.device.type):
        return F.pad(frames, [margin] * 4, mode=border)
    with torch.autocast(frames.device.type, enabled=False):
        return F.pad(frames, [margin] * 4, mode=border)


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm that leaves channels-last pictures as they lie.

    Torch's own gathers the channels of every picture first, which on CPUs takes longer than the norm itself. The batch norm
    of one picture is its instance norm.
    """

    def forward(self, input: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape, every channel of every picture with mean 0 and variance 1."""
        if input.device.type != "cpu" or not input.is_contiguous(memory_format=torch.channels_last):
            return super().forward(input)
        if len(input) > 1:
            return torch.cat([self(picture) for picture in torch.split(input, 1)])
        return F.batch_norm(input, None, None, training=True, eps=self.eps)
