"""Distances to something known: cycle, identity and a teacher's paintings, and statistics of a critic's features."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_modules.ops.statistics import clip_mean, full_precision


def l1(restored: Tensor, original: Tensor) -> Tensor:
    """Mean absolute difference within each clip, then over clips; for cycle and identity.

    Args:
        restored: ``(B, ...)``.
        original: the same shape.

    Returns:
        A scalar.

    Raises:
        ValueError: the shapes differ.
    """
    if restored.shape != original.shape:
        raise ValueError(
            f"l1: expected two tensors of one shape, got {tuple(restored.shape)} and {tuple(original.shape)}; "
            "compare a clip with its own reconstruction"
        )
    return clip_mean((full_precision(restored) - full_precision(original)).abs())


def feature_matching(fake_features: Sequence[Tensor], real_features: Sequence[Tensor]) -> Tensor:
    """Distance between the mean activations of a critic on generated and on real data.

    pix2pixHD compares activations pixel by pixel, which needs pairs. Ours are unpaired, so this is the form of Salimans et
    al. 2016, equation of section 3.1: the mean of every channel over batch and space (and time) should agree. It is a
    statistic of the batch, not a mean of terms of single clips: larger batches estimate it better.

    Args:
        fake_features: one ``(N, C, ...)`` for each layer, of generated data; leave out the logits, the adversarial loss has
            those.
        real_features: the same layers on real data, N and the space may differ; no gradient flows into them.

    Returns:
        The mean over layers of the mean over channels of the squared difference; a scalar.

    Raises:
        ValueError: the layers do not correspond.
    """
    fakes, reals = [f.shape[1] for f in fake_features], [f.shape[1] for f in real_features]
    if not fakes or fakes != reals:
        raise ValueError(f"feature_matching: expected layers of equal channels, got {fakes} and {reals}; use one critic")
    pairs = zip(fake_features, real_features, strict=True)
    return torch.stack([(_channel_means(f) - _channel_means(r.detach())).square().mean() for f, r in pairs]).mean()


def feature_distance(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of activations, place by place, for pairs (Wang et al. 2018, pix2pixHD, equation 4).

    Args:
        features: one ``(B, C, ...)`` for each layer.
        targets: the same shapes, of what it should look like; no gradient flows into them.

    Returns:
        The mean over layers of the mean over clips; a scalar.

    Raises:
        ValueError: the shapes differ.
    """
    return torch.stack([l1(ours, theirs.detach()) for ours, theirs in zip(features, targets, strict=True)]).mean()


def _channel_means(features: Tensor) -> Tensor:
    """``(C,)``: means over batch and space."""
    return full_precision(features).transpose(0, 1).flatten(1).mean(1)
