"""What should stay the same from frame to frame. All are mean absolute differences, per clip and then over clips.

Flow and visibility follow ``datamodules.batch``: backward flow in pixels, so ``warp(frame[t], flow[t])`` is aligned with
``frame[t + 1]``.
"""

from torch import Tensor

from lightning_modules.ops.statistics import clip_mean, full_precision
from lightning_modules.ops.warp import warp


def warped(stylized: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Difference along the motion: paint must move with what it is painted on (Ruder et al. 2016, with L1).

    Args:
        stylized: ``(B, T, 3, H, W)``; clips of one frame give 0.
        flow: ``(B, T - 1, 2, H, W)`` of the content, in pixels.
        visible: ``(B, T - 1, 1, H, W)``, 1 where the flow holds; clips with nothing visible give 0.

    Returns:
        A scalar: |warp(O[t], flow[t]) - O[t + 1]| where visible.

    Raises:
        ValueError: the sizes do not agree.
    """
    stylized = full_precision(stylized)  # pixel positions do not fit into bfloat16
    moved = warp(stylized[:, :-1], flow)
    return clip_mean((moved - stylized[:, 1:]).abs(), visible)


def unwarped(stylized: Tensor) -> Tensor:
    """Difference of consecutive frames at the same pixel, for comparison: it punishes true motion and rewards blur.

    Args:
        stylized: ``(B, T, 3, H, W)``; clips of one frame give 0.

    Returns:
        A scalar: |O[t + 1] - O[t]|.
    """
    stylized = full_precision(stylized)
    return clip_mean((stylized[:, 1:] - stylized[:, :-1]).abs())


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
