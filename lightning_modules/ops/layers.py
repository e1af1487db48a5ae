"""Layers of torch that compute the same with less work."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.ops.few_channels import by_rows, few
from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.winograd import pays, trains_on_cpu, winograd


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
        if self.bias is not None and pays(bordered, self.weight):
            return winograd(bordered, self.weight, self.bias)
        if self.bias is not None and few(self.weight) and trains_on_cpu(bordered, self.weight):
            return by_rows(bordered, self.weight, self.bias)
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


class EdgeConv2d(nn.Conv2d):
    """A convolution that keeps the size by repeating the last pixels, as ``padding_mode="replicate"`` does, compiled too.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        kernel: its side, odd.
        groups: of channels that are convolved by themselves.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, groups: int = 1) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode="replicate", groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        """``(N, channels_in, H, W)`` to ``(N, channels_out, H, W)``."""
        return F.conv2d(repeat_edges(input, self.kernel_size[0] // 2), self.weight, self.bias, groups=self.groups)


def repeat_edges(frames: Tensor, margin: int) -> Tensor:
    """``F.pad`` in mode ``replicate`` on all four sides.

    Compiled, the backward pass of torch's own expects another memory layout than it gets for channels-last pictures, and fails
    (seen in torch 2.15); put together from slices, the border is differentiated by parts that do not.

    Args:
        frames: ``(N, C, H, W)``.
        margin: pixels added to each side.
    """
    if not margin:
        return frames
    if not torch.compiler.is_compiling() or torch.compiler.is_exporting():  # an exported network has no backward pass
        return F.pad(frames, [margin] * 4, mode="replicate")
    for side in (-2, -1):
        first, last = (frames.narrow(side, at, 1) for at in (0, frames.shape[side] - 1))
        frames = torch.cat([*[first] * margin, frames, *[last] * margin], side)
    return frames


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm that leaves channels-last pictures as they lie.

    Torch's own gathers the channels of every picture first, which on CPUs takes longer than the norm itself. The batch norm
    of one picture is its instance norm.
    """

    def forward(self, input: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape, every channel of every picture with mean 0 and variance 1."""
        if torch.compiler.is_exporting():
            return normalised(input, self.eps)
        if input.device.type != "cpu" or not input.is_contiguous(memory_format=torch.channels_last):
            return super().forward(input)
        if len(input) > 1:
            return torch.cat([self(picture) for picture in torch.split(input, 1)])
        return F.batch_norm(input, None, None, training=True, eps=self.eps)


def normalised(frames: Tensor, eps: float) -> Tensor:
    """Instance norm in single operators, with means over rows of means over columns.

    The one operator that ONNX has for it adds up all pixels one after the other: in 720x1280 it was off by 1e-3.
    """

    def mean(values: Tensor) -> Tensor:
        return values.mean(-1, keepdim=True).mean(-2, keepdim=True)

    values = full_precision(frames)
    centred = values - mean(values)
    return (centred * (mean(centred.square()) + eps).rsqrt()).to(frames.dtype)
