"""A critic of single frames that judges overlapping patches (Isola et al. 2017; CycleGAN, Zhu et al. 2017)."""

from torch import Tensor, nn

from lightning_modules.discriminators.base import Discriminator
from lightning_modules.discriminators.norms import Norm, apply_spectral_norm, has_own_bias, norm_layers
from lightning_modules.ops.initialise import normal_init


class PatchGAN(Discriminator):
    """4x4 convolutions: ``layers`` with stride 2, one with stride 1, and one to the logits, with LeakyReLU 0.2 between.

    At the defaults this is CycleGAN's 70x70 critic of 2,764,737 parameters. The first and last layers have no norm.

    Args:
        channels: of the first layer; doubled by each further one, up to eight times.
        layers: how many halve the picture; 3 judges patches of 70x70, 2 of 34x34, 1 of 16x16.
        norm: between the layers. No ``batch`` and better no ``instance`` with a gradient penalty.

    Raises:
        ValueError: an unknown norm.
    """

    def __init__(self, channels: int = 64, layers: int = 3, norm: Norm = "instance") -> None:
        super().__init__()
        self.norm = norm
        self.min_size = 3 * 2**layers  # the two last convolutions take a pixel each off a map of 3x3
        widths = [min(channels * 2**i, channels * 8) for i in range(layers + 1)]
        strides = [2] * layers + [1]
        stages: list[nn.Module] = []
        for i, (width, stride) in enumerate(zip(widths, strides, strict=True)):
            last, bias = (3, True) if i == 0 else (widths[i - 1], not has_own_bias(norm))
            normalise = norm_layers(norm, width, dims=2) if i else []
            stages.append(nn.Sequential(nn.Conv2d(last, width, 4, stride, 1, bias=bias), *normalise, nn.LeakyReLU(0.2)))
        stages.append(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.stages = nn.ModuleList(stages)
        normal_init(self)
        if norm == "spectral":
            apply_spectral_norm(self)

    @property
    def receptive_field(self) -> int:
        """Side in pixels of the patch behind one logit."""
        side = 1
        for conv in reversed([m for m in self.modules() if isinstance(m, nn.Conv2d)]):
            side = (side - 1) * conv.stride[0] + conv.kernel_size[0]
        return side

    def features(self, frames: Tensor) -> list[Tensor]:
        """Activations after every stage, the logits ``(N, 1, h, w)`` last.

        Args:
            frames: ``(N, 3, H, W)`` in [-1, 1], sides of at least ``min_size``.

        Raises:
            ValueError: the frames are too small.
        """
        if min(frames.shape[-2:]) < self.min_size:
            height, width = frames.shape[-2:]
            raise ValueError(
                f"PatchGAN: expected frames of at least {self.min_size}x{self.min_size}, got {height}x{width}; "
                "use larger frames or fewer layers"
            )
        activations: list[Tensor] = []
        for stage in self.stages:
            frames = stage(frames)
            activations.append(frames)
        return activations
