"""Where pictures changed, for the eye: colour, structure, and flicker at every pixel."""

import torch.nn.functional as F
from kornia.color import rgb_to_grayscale, rgb_to_lab
from torch import Tensor

from lightning_modules.metrics.similarity import WINDOW, ssim_map
from lightning_modules.ops.contrast import blurred
from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.warp import warp

SMOOTH = 9  # pixels; colours are compared as they look from afar, strokes and shifted edges aside


def colour_shift_map(output: Tensor, content: Tensor) -> Tensor:
    """How far colours moved: Delta E of 1976 (Euclidean distance in CIELAB, D65) between blurred pictures.

    Args:
        output: ``(..., 3, H, W)`` in [-1, 1], sRGB.
        content: the same shape.

    Returns:
        ``(..., H, W)``, >= 0; about 2 is just noticeable, 100 is black against white.
    """
    return (_lab(output) - _lab(content)).square().sum(-3).sqrt()


def structure_map(output: Tensor, content: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004) of light and shade around every pixel; the borders are reflected.

    Args:
        output: ``(..., 3, H, W)`` in [-1, 1], both sides at least 6.
        content: the same shape.

    Returns:
        ``(..., H, W)`` in [-1, 1]: 1 where the structure is kept, 0 where nothing of it is left, below where it is inverted.
    """
    return ssim_map(_shade(output), _shade(content)).reshape(*output.shape[:-3], *output.shape[-2:])


def error_map(frames: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Where clips flicker: the warping error of each pixel, mean over colours and the pairs in which it is visible.

    Args:
        frames: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2.
        flow: ``(B, T - 1, 2, H, W)`` of the content, backward, in pixels.
        visible: ``(B, T - 1, 1, H, W)`` in {0, 1}, any type.

    Returns:
        ``(B, H, W)`` in [0, 1], for values in [0, 1]; NaN where a pixel is never visible.
    """
    frames = full_precision(frames) / 2  # the squared difference is then that of values in [0, 1]
    squared = (warp(frames[:, :-1], flow) - frames[:, 1:]).square().mean(2)
    weight = visible[:, :, 0].to(squared)
    return (squared * weight).sum(1) / weight.sum(1)


def _lab(frames: Tensor) -> Tensor:
    smooth = blurred(full_precision(frames).reshape(-1, *frames.shape[-3:]), SMOOTH)
    return rgb_to_lab((smooth + 1) / 2).reshape(frames.shape)


def _shade(frames: Tensor) -> Tensor:
    margin = WINDOW // 2
    grey = rgb_to_grayscale(full_precision(frames).reshape(-1, *frames.shape[-3:]))
    return F.pad(grey, (margin,) * 4, mode="reflect")
