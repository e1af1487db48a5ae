"""Motion that is made up, and therefore known exactly (compound regularisation; Wang et al. 2020, ReReVST)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.warp import warp

# In pixels of a picture whose shorter side is 256, the published crop; other sizes in proportion.
_REFERENCE = 256
_CELL = 100.0  # distance of the coarse grid's points, and width of the smoothing box
_NOISE = 8.0  # standard deviation at the coarse grid's points
_SHIFT = 10.0  # largest common shift of each axis


def random_smooth_flow(
    batch: int, height: int, width: int, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Tensor:
    """Smooth random motion: noise on a coarse grid, enlarged and smoothed, plus a common shift.

    At a shorter side of 256 the noise has 8 px of standard deviation on points 100 px apart, the shift is up to 10 px and the
    smoothing box 100 px wide, as published for 256x256; everything scales with the shorter side, so that a network sees the
    same motion at every size.

    Args:
        batch: how many fields.
        height: of the fields, in pixels.
        width: of the fields, in pixels.
        generator: of the CPU, so that every device makes the same motion.
        device: where the fields are wanted.

    Returns:
        ``(batch, 2, height, width)`` float32 in pixels, x first.
    """
    unit = min(height, width) / _REFERENCE
    cell = _CELL * unit
    points = [max(2, round(side / cell)) for side in (height, width)]
    coarse = _NOISE * unit * torch.randn(batch, 2, *points, generator=generator)
    shift = _SHIFT * unit * (2 * torch.rand(batch, 2, 1, 1, generator=generator) - 1)
    field = F.interpolate(coarse.to(device), size=(height, width), mode="bilinear", align_corners=True)
    return _smoothed(field, radius=round(cell / 2)) + shift.to(device)


def deform(frames: Tensor, flow: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """The second frame of a known motion: the first one warped, with a little noise so that no network can rely on pixels.

    Args:
        frames: ``(..., C, H, W)`` in [-1, 1].
        flow: ``(..., 2, H, W)`` in pixels.
        noise: standard deviation, in units of the frames (published: 0.001 to 0.002).
        generator: of the CPU.

    Returns:
        ``(..., C, H, W)``: warp(frames, flow) + N(0, noise), not clipped.
    """
    frames = full_precision(frames)
    return warp(frames, flow) + noise * torch.randn(frames.shape, generator=generator).to(frames)


def _smoothed(field: Tensor, radius: int) -> Tensor:
    """Box blur, one axis after the other, the border repeated."""
    box = 2 * radius + 1
    padded = F.pad(field, (radius, radius, radius, radius), mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (1, box), stride=1), (box, 1), stride=1)
