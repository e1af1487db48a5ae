"""How much clips flicker along known motion: the warping error, and its ratio to that of the input.

The warping error alone rewards grey, blurred or frozen output, and even the input's own is not 0 (resampling, sensor noise).
The ratio sets both against the contrast of what is shown.
"""

import torch
from torch import Tensor

from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.warp import warp

_LEAST_CONTRAST = 0.5 / 127.5  # half a grey level of 8 bits on [-1, 1]: less is a constant picture


def warping_error(frames: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """E_warp of Lai et al. 2018 ("Learning blind video temporal consistency"): mean over pairs, then over clips.

    Args:
        frames: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2.
        flow: ``(B, T - 1, 2, H, W)`` of the content, backward, in pixels.
        visible: ``(B, T - 1, 1, H, W)`` in {0, 1}, any type. Pairs with nothing visible are left out, and so are clips of such
            pairs only (the published script counts them as free of error).

    Returns:
        A scalar in [0, 1]: the mean of (warp(O[t], flow[t]) - O[t + 1])^2 over visible values, for values in [0, 1]. NaN where
        nothing at all is visible.

    Raises:
        ValueError: single frames, or sizes that do not agree.
    """
    if frames.dim() != 5 or frames.shape[1] < 2:
        raise ValueError(
            f"warping_error: expected clips (B, T, 3, H, W) of two frames or more, got {tuple(frames.shape)}; "
            "single frames cannot flicker"
        )
    frames = full_precision(frames) / 2  # the squared difference is then that of values in [0, 1]
    squared = (warp(frames[:, :-1], flow) - frames[:, 1:]).square()
    weight = visible.to(frames.dtype).expand_as(squared)
    pairs = (squared * weight).flatten(2).sum(2) / weight.flatten(2).sum(2)  # 0 / 0 is NaN: nothing visible
    return pairs.nanmean(dim=1).nanmean()


def flicker_ratio(output: Tensor, content: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """R = [E_warp(output) / Var(output)] / [E_warp(content) / Var(content)]: 1 for the content itself.

    Unchanged by scaling or shifting the values of either, so that it cannot be lowered by paling.

    Args:
        output: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2: the content as a network repainted it.
        content: the same shape.
        flow: ``(B, T - 1, 2, H, W)`` of the content, backward, in pixels.
        visible: ``(B, T - 1, 1, H, W)`` in {0, 1}.

    Returns:
        A scalar >= 0, the variance being over all values of all clips. NaN for an output (or content) that is constant to half
        a grey level: nothing in it could flicker, and its ratio would be that of rounding errors.

    Raises:
        ValueError: sizes that do not agree.
    """
    if output.shape != content.shape:
        raise ValueError(
            f"flicker_ratio: expected output and content of one shape, got {tuple(output.shape)} and {tuple(content.shape)}; "
            "compare a clip with its own repainting"
        )
    return _relative(output, flow, visible) / _relative(content, flow, visible)


def _relative(frames: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    variance = full_precision(frames).var(correction=0)
    variance = torch.where(variance.sqrt() < _LEAST_CONTRAST, torch.nan, variance)
    return warping_error(frames, flow, visible) / (variance / 4)
