"""Stacking clips: shapes, and what happens to flow that only some bring."""

import pytest
import torch

from datamodules.batch import ClipBatch, Clips, collate, stack


def clip(value: int, flow: bool = True, frames: int = 3) -> Clips:
    pictures = torch.full((frames, 3, 4, 6), value, dtype=torch.uint8)
    if not flow:
        return Clips(pictures)
    return Clips(pictures, torch.full((frames - 1, 2, 4, 6), float(value)), torch.ones(frames - 1, 1, 4, 6, dtype=torch.uint8))


def test_stack_keeps_order_types_and_flow() -> None:
    batch = stack([clip(1), clip(2)])
    assert batch.frames.shape == (2, 3, 3, 4, 6)
    assert batch.frames.dtype == torch.uint8
    assert batch.frames[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert batch.flow is not None
    assert batch.visible is not None
    assert batch.flow[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert batch.visible.shape == (2, 2, 1, 4, 6)


def test_flow_is_kept_only_if_every_clip_brings_it() -> None:
    batch = stack([clip(1), clip(2, flow=False)])
    assert batch.flow is None
    assert batch.visible is None


def test_collate_keeps_domains_apart() -> None:
    batch = collate([ClipBatch(clip(1), clip(3, flow=False)), ClipBatch(clip(2), clip(4, flow=False))])
    assert batch.content.frames[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert batch.style.frames[:, 0, 0, 0, 0].tolist() == [3, 4]
    assert batch.content.flow is not None
    assert batch.style.flow is None


def test_clips_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \[\(2, 3, 4, 6\), \(3, 3, 4, 6\)\]"):
        stack([clip(1), clip(1, frames=2)])
