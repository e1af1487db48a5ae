"""A critic of clips: 3-D convolutions that see how frames follow one another (Chang et al. 2019, temporal PatchGAN)."""

import torch
from torch import Tensor, nn

from lightning_modules.discriminators.base import TemporalDiscriminator
from lightning_modules.discriminators.norms import Norm, apply_spectral_norm, has_own_bias, norm_layers
from lightning_modules.ops.flow import align_to_centre
from lightning_modules.ops.initialise import normal_init


class TemporalPatchGAN(TemporalDiscriminator):
    """Kernels of 3x5x5 (time first), stride (1, 2, 2), padding (1, 2, 2), LeakyReLU 0.2; time is never shortened.

    Hence it takes any clip of 3 frames or more, 7-frame septuplets included.

    Args:
        channels: of the first layer; 2, 4, 4, 4... times as many in the further ones.
        layers: before the logits; each of them, and the logits too, halve the picture.
        norm: between the layers. ``spectral`` suits hinge; ``none`` or ``layer`` a gradient penalty.
        aligned: also show the frames warped to the centre frame, so that flicker stands out against motion; needs flow.

    Raises:
        ValueError: an unknown norm.
    """

    min_frames = 3

    def __init__(self, channels: int = 32, layers: int = 3, norm: Norm = "spectral", aligned: bool = False) -> None:
        super().__init__()
        self.norm = norm
        self.needs_flow = aligned
        self.min_size = 2**layers
        widths = [6 if aligned else 3] + [min(channels * 2**i, channels * 4) for i in range(layers)]
        stages: list[nn.Module] = []
        for i in range(layers):
            normalise = norm_layers(norm, widths[i + 1], dims=3) if i else []
            bias = i == 0 or not has_own_bias(norm)
            stages.append(nn.Sequential(_convolution(widths[i], widths[i + 1], bias), *normalise, nn.LeakyReLU(0.2)))
        stages.append(_convolution(widths[-1], 1, bias=True))
        self.stages = nn.ModuleList(stages)
        normal_init(self)
        if norm == "spectral":
            apply_spectral_norm(self)

    def features(self, clips: Tensor, flow: Tensor | None = None) -> list[Tensor]:
        """Activations ``(B, C, T, h, w)`` after every stage, the logits ``(B, 1, T, h, w)`` last.

        Args:
            clips: ``(B, T, 3, H, W)`` in [-1, 1], T at least ``min_frames``, sides at least ``min_size``.
            flow: ``(B, T - 1, 2, H, W)`` backward, in pixels; used only where ``needs_flow``.

        Raises:
            ValueError: the clips are too short or too small, or flow is needed and missing.
        """
        self._check(clips, flow)
        if self.needs_flow and flow is not None:
            clips = torch.cat([clips, align_to_centre(clips, flow).to(clips.dtype)], dim=2)
        volume = clips.transpose(1, 2)
        activations: list[Tensor] = []
        for stage in self.stages:
            volume = stage(volume)
            activations.append(volume)
        return activations

    def _check(self, clips: Tensor, flow: Tensor | None) -> None:
        frames, _, height, width = clips.shape[1:]
        if frames < self.min_frames or min(height, width) < self.min_size:
            raise ValueError(
                f"TemporalPatchGAN: expected clips of at least {self.min_frames} frames of {self.min_size}x{self.min_size}, "
                f"got {frames} of {height}x{width}; use longer clips or larger frames"
            )
        if self.needs_flow and flow is None:
            raise ValueError("TemporalPatchGAN: expected flow because aligned=True, got None; pass flow or set aligned=False")


def _convolution(channels_in: int, channels_out: int, bias: bool) -> nn.Conv3d:
    return nn.Conv3d(channels_in, channels_out, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=bias)
