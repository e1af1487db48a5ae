"""What should stay the same from frame to frame. All are mean absolute differences, per clip and then over clips.

Those of a painted clip's own frames are in units of that clip's contrast, as the flicker ratio is (``metrics.warping_error``):
a plain difference is lowered most easily by painting paler. The gradient goes through the contrast as well, so that making a
clip paler or stronger as a whole changes nothing; with the contrast taken as a constant it would be rewarded as before.

Flow and visibility follow ``datamodules.batch``: backward flow in pixels, so ``warp(frame[t], flow[t])`` is aligned with
``frame[t + 1]``.
"""

from torch import Tensor

from lightning_modules.ops.statistics import clip_mean, full_precision
from lightning_modules.ops.warp import warp

LEAST_CONTRAST = 0.1  # added to the clip's in quadrature, on [-1, 1]; in what is flatter, sensor noise would be all that counts


def warped(stylized: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Difference along the motion: paint must move with what it is painted on (Ruder et al. 2016, with L1).

    Args:
        stylized: ``(B, T, 3, H, W)``; clips of one frame give 0.
        flow: ``(B, T - 1, 2, H, W)`` of the content, in pixels.
        visible: ``(B, T - 1, 1, H, W)``, 1 where the flow holds; clips with nothing visible give 0.

    Returns:
        A scalar: |warp(O[t], flow[t]) - O[t + 1]| where visible, over the standard deviation of O.

    Raises:
        ValueError: the sizes do not agree.
    """
    stylized = full_precision(stylized)  # pixel positions do not fit into bfloat16
    moved = warp(stylized[:, :-1], flow)
    return clip_mean(_in_contrasts(moved - stylized[:, 1:], stylized), visible)


def unwarped(stylized: Tensor) -> Tensor:
    """Difference of consecutive frames at the same pixel, for comparison: it punishes true motion and rewards blur.

    Args:
        stylized: ``(B, T, 3, H, W)``; clips of one frame give 0.

    Returns:
        A scalar: |O[t + 1] - O[t]|, over the standard deviation of O.
    """
    stylized = full_precision(stylized)
    return clip_mean(_in_contrasts(stylized[:, 1:] - stylized[:, :-1], stylized))


def _in_contrasts(difference: Tensor, clips: Tensor) -> Tensor:
    """Absolute differences ``(B, ...)`` in standard deviations of the clips ``(B, ...)`` they are from."""
    variance = clips.flatten(1).var(1, correction=0) + LEAST_CONTRAST**2
    return difference.abs() / variance.sqrt().view(-1, *[1] * (difference.ndim - 1))


def known_motion(stylized: Tensor, restylized: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Painting and a known motion should commute: compound regularisation, Wang et al. 2020 (ReReVST), equation 5.

    Needs no flow estimate: the second frame is made from the first by a flow that was drawn (``ops.motion``).

    Args:
        stylized: ``(B, ..., 3, H, W)``, G(x).
        restylized: the same shape, G(warp(x, flow) + noise).
        flow: ``(B, ..., 2, H, W)`` in pixels, the motion.
        visible: ``(B, ..., 1, H, W)``, 1 where the motion stays within the picture (``ops.flow.inside``).

    Returns:
        A scalar: |warp(G(x), flow) - G(warp(x, flow) + noise)| where visible.

    Raises:
        ValueError: the sizes do not agree.
    """
    return clip_mean((warp(full_precision(stylized), flow) - full_precision(restylized)).abs(), visible)
