"""Total variation: how much neighbouring pixels differ."""

from torch import Tensor

from lightning_modules.ops.statistics import clip_mean, full_precision


def total_variation(frames: Tensor) -> Tensor:
    """Anisotropic total variation (Rudin et al. 1992, in the form of Johnson et al. 2016 with absolute values).

    Args:
        frames: ``(B, ..., H, W)``, any range.

    Returns:
        Mean |difference to the right| plus mean |difference downwards|, per clip and then over clips; a scalar.
    """
    frames = full_precision(frames)
    across = frames[..., :, 1:] - frames[..., :, :-1]
    down = frames[..., 1:, :] - frames[..., :-1, :]
    return clip_mean(across.abs()) + clip_mean(down.abs())
