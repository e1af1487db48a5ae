"""Means that treat every clip alike, and other summaries of activations."""

import torch
from torch import Tensor


def full_precision(values: Tensor) -> Tensor:
    """Half precision is raised to float32; float32 and float64 stay what they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def clip_mean(values: Tensor, visible: Tensor | None = None) -> Tensor:
    """Mean within each clip, then over clips.

    One mean over all pixels of a batch would weigh clips by how much of them is visible, and would make a batch split
    over ranks or accumulation steps give another gradient than the whole one.

    Args:
        values: ``(B, ...)``, any range.
        visible: broadcastable to ``values``, 1 where a value counts and 0 elsewhere; all count when None.

    Returns:
        A scalar; clips in which nothing counts give 0.
    """
    values = full_precision(values)
    if visible is None:
        count = values.new_full((len(values),), values[0].numel())
    else:
        weight = visible.to(values.dtype).expand_as(values)
        values, count = values * weight, weight.flatten(1).sum(1)
    return (values.flatten(1).sum(1) / count.clamp(min=1)).mean()


def gram(features: Tensor) -> Tensor:
    """Gram matrices F F^T / (HW) of activations.

    Args:
        features: ``(N, C, H, W)``, any range.

    Returns:
        ``(N, C, C)`` in float32: sums over thousands of pixels do not survive half precision.
    """
    with torch.autocast(features.device.type, enabled=False):
        flat = full_precision(features).flatten(2)
        return flat @ flat.mT / flat.shape[-1]
