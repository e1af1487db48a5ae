"""The one type every package shares, and the flow convention it carries.

Clips are ``(B, T, 3, H, W)``: uint8 from the loader, float32 in [-1, 1] once on the device. Images are clips of one frame.

``flow[:, t]`` is ``(2, H, W)`` in pixels, x first, and *backward*: the content at pixel p of frame t + 1 was at
p + flow[p] of frame t. Hence ``warp(frames[:, t], flow[:, t])`` is aligned with ``frames[:, t + 1]``. Pixel centres lie at
integers. ``visible[:, t]`` is 1 where that correspondence exists: neither hidden nor outside the picture in frame t.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from datamodules.random import Draw


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


class Failure(NamedTuple):
    """A clip that could not be read: one ``number`` of the ``clips`` of a domain, the file at fault and why."""

    domain: str
    number: int
    clips: int
    path: str
    reason: str


class ClipBatch(NamedTuple):
    """What a loader yields: unpaired clips of the two domains.

    Shape:
        - style_id: ``(B,)`` int64, which of the data module's ``styles`` each style clip shows; None where nobody counts them
        - draws: B names, from which all that is random about each sample follows
        - failed: the clips that others stand in for here
    """

    content: Clips
    style: Clips
    style_id: Tensor | None = None
    draws: tuple[Draw, ...] = ()
    failed: tuple[Failure, ...] = ()


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
    # In a worker this writes straight into the memory it shares with the trainer.
    return Clips(
        default_collate([clip.frames for clip in clips]),
        default_collate(flow) if known else None,
        default_collate(visible) if known else None,
    )


def collate(samples: list[ClipBatch]) -> ClipBatch:
    """Stack the samples of a batch."""
    ids = [sample.style_id for sample in samples if sample.style_id is not None]
    return ClipBatch(
        stack([sample.content for sample in samples]),
        stack([sample.style for sample in samples]),
        torch.stack(ids) if len(ids) == len(samples) else None,
        tuple(draw for sample in samples for draw in sample.draws),
        tuple(failure for sample in samples for failure in sample.failed),
    )
