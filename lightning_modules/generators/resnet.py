"""CycleGAN's generator (Johnson et al. 2016; Zhu et al. 2017)."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lightning_modules.generators.base import Generator
from lightning_modules.ops.initialise import normal_init
from lightning_modules.ops.layers import InstanceNorm2d, PaddedConv2d

Upsample = Literal["transposed", "resize"]


class ResNetGenerator(Generator):
    """c7s1-64, d128, d256, residual blocks of 256, u128, u64, c7s1-3, tanh; reflection padding, instance norm.

    11,378,179 parameters at the defaults, which are CycleGAN's for 256x256 (6 blocks for 128x128).

    Args:
        channels: of the first layer.
        blocks: residual blocks at a quarter of the size.
        upsample: ``transposed`` convolution as published, or ``resize`` (bilinear, then a convolution), which leaves no
            checkerboard.
        checkpointing: keep only the input of each residual block for the backward pass, which computes the rest again
            (Chen et al., "Training deep nets with sublinear memory cost", 2016): less memory, more time, the same numbers.

    Raises:
        ValueError: an unknown way to upsample.
    """

    size_multiple = 4
    min_size = 8  # a quarter of it is 2, the least that can be padded by reflection

    def __init__(
        self, channels: int = 64, blocks: int = 9, upsample: Upsample = "transposed", checkpointing: bool = False
    ) -> None:
        super().__init__()
        widths = [channels, channels * 2, channels * 4]
        self.layers = nn.Sequential(
            *_normalised(widths[0], _padded(3, widths[0], 7)),
            *_normalised(widths[1], nn.Conv2d(widths[0], widths[1], 3, 2, 1)),
            *_normalised(widths[2], nn.Conv2d(widths[1], widths[2], 3, 2, 1)),
            *[Residual(widths[2], checkpointing) for _ in range(blocks)],
            *_normalised(widths[1], *_upsampling(widths[2], widths[1], upsample)),
            *_normalised(widths[0], *_upsampling(widths[1], widths[0], upsample)),
            _padded(widths[0], 3, 7),
            nn.Tanh(),
        )
        normal_init(self)

    def paint(self, frames: Tensor) -> Tensor:
        """Repaint ``(N, 3, H, W)`` in [-1, 1] to the same shape."""
        return self.layers(frames)


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, channels: int, checkpointing: bool) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        first, second = _padded(channels, channels, 3), _padded(channels, channels, 3)
        self.layers = nn.Sequential(*_normalised(channels, first), second, InstanceNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        """``(N, C, h, w)`` to the same shape."""
        if not (self.checkpointing and torch.is_grad_enabled()):  # without a backward pass there is nothing to compute again
            return features + self.layers(features)
        # Nothing in a block is drawn by chance, so no state of random generators has to be kept.
        change: Tensor = checkpoint(self.layers, features, use_reentrant=False, preserve_rng_state=False)
        return features + change


def _padded(channels_in: int, channels_out: int, kernel: int) -> nn.Conv2d:
    return PaddedConv2d(channels_in, channels_out, kernel, "reflect")


def _normalised(channels: int, *convolution: nn.Module) -> list[nn.Module]:
    return [*convolution, InstanceNorm2d(channels), nn.ReLU(inplace=True)]


def _upsampling(channels_in: int, channels_out: int, upsample: Upsample) -> list[nn.Module]:
    match upsample:
        case "transposed":
            return [nn.ConvTranspose2d(channels_in, channels_out, 3, 2, 1, output_padding=1)]
        case "resize":
            resize = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            return [resize, _padded(channels_in, channels_out, 3)]
    raise ValueError(f"upsample: expected one of {', '.join(get_args(Upsample))}, got {upsample!r}; choose one")
