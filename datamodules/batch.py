"""The one type every package shares, and the flow convention it carries.

Clips are ``(B, T, 3, H, W)``: uint8 from the loader, float32 in [-1, 1] once on the device. Images are clips of one frame.

``flow[:, t]`` is ``(2, H, W)`` in pixels, x first, and *backward*: the content at pixel p of frame t + 1 was at
p + flow[p] of frame t. Hence ``warp(frames[:, t], flow[:, t])`` is aligned with ``frames[:, t + 1]``. Pixel centres lie at
integers. ``visible[:, t]`` is 1 where that correspondence exists: neither hidden nor outside the picture in frame t.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Clips(NamedTuple):
    """A batch of clips, or one clip without the leading B.

    Shape:
        - frames: ``(B, T, 3, H, W)``, uint8 in [0, 255] or float32 in [-1, 1]
        - flow: ``(B, T - 1, 2, H, W)`` float32 in pixels, or None when it is not known
        - visible: ``(B, T - 1, 1, H, W)`` in {0, 1}, uint8 or float32; None exactly when flow is None
    """

    frames: Tensor
    flow: Tensor | None = None
    visible: Tensor | None = None


class ClipBatch(NamedTuple):
    """What a loader yields: unpaired clips of the two domains."""

    content: Clips
    style: Clips


def stack(clips: list[Clips]) -> Clips:
    """Stack single clips into a batch. Flow is kept only if every clip brings it.

    Raises:
        ValueError: the clips differ in shape.
    """
    shapes = {tuple(clip.frames.shape) for clip in clips}
    if len(shapes) > 1:
        raise ValueError(f"clips of one batch must have one shape, got {sorted(shapes)}")
    flow = [clip.flow for clip in clips if clip.flow is not None]
    visible = [clip.visible for clip in clips if clip.visible is not None]
    known = len(flow) == len(visible) == len(clips)
    return Clips(
        torch.stack([clip.frames for clip in clips]),
        torch.stack(flow) if known else None,
        torch.stack(visible) if known else None,
    )


def collate(samples: list[ClipBatch]) -> ClipBatch:
    """Stack the two domains of a list of samples."""
    return ClipBatch(stack([s.content for s in samples]), stack([s.style for s in samples]))
