"""The usual network for painting single frames fast, to compare with: fast neural style's, by its published layers.

Johnson et al., "Perceptual losses for real-time style transfer and super-resolution", ECCV 2016, with instance norm (Ulyanov
et al. 2016) and upsampling before the convolution, as the widespread example of PyTorch has it. Its weights stay as drawn: they
take as long as trained ones.
"""

from torch import Tensor, nn

from lightning_modules.ops.layers import PaddedConv2d


class TransformerNet(nn.Module):
    """c9s1-32, d64, d128, five residual blocks of 128, u64, u32, c9s1-3; reflection padding; 1,679,235 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_normalised(3, 32, 9),
            *_normalised(32, 64, 3, stride=2),
            *_normalised(64, 128, 3, stride=2),
            *(_Residual() for _ in range(5)),
            nn.Upsample(scale_factor=2),
            *_normalised(128, 64, 3),
            nn.Upsample(scale_factor=2),
            *_normalised(64, 32, 3),
            PaddedConv2d(32, 3, 9, "reflect"),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [-1, 1] to the same shape and range; sides multiples of 4, from 8 on."""
        painted: Tensor = self.layers((frames + 1) * 127.5)
        return (painted / 127.5 - 1).clamp(-1, 1)


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_normalised(128, 128, 3), *_normalised(128, 128, 3)[:-1])

    def forward(self, features: Tensor) -> Tensor:
        """``(N, 128, h, w)`` to the same shape."""
        return features + self.layers(features)


def _normalised(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size, or halves it; instance norm with weights; ReLU."""
    border = nn.ReflectionPad2d(kernel // 2)
    convolution = nn.Conv2d(channels_in, channels_out, kernel, stride)
    return [border, convolution, nn.InstanceNorm2d(channels_out, affine=True), nn.ReLU(inplace=True)]
