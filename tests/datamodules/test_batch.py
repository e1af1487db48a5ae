"""Stacking clips: shapes, and what happens to flow that only some bring."""

import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.batch import ClipBatch, Clips, Failure, collate, stack
from datamodules.random import Draw


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


def sample(number: int, failed: tuple[Failure, ...] = ()) -> ClipBatch:
    return ClipBatch(clip(number), clip(number), torch.tensor(number % 2), (Draw(0, 1, number),), failed)


def test_collate_keeps_ids_names_and_failures_in_order() -> None:
    lost = [Failure("style", number, 9, "a.png", "gone") for number in range(2)]
    batch = collate([sample(3, (lost[0],)), sample(4), sample(5, (lost[1],))])
    assert batch.style_id.tolist() == [1, 0, 1]
    assert batch.style_id.dtype == torch.int64
    assert batch.draws == (Draw(0, 1, 3), Draw(0, 1, 4), Draw(0, 1, 5))
    assert batch.failed == tuple(lost)


def test_ids_are_kept_only_if_every_sample_brings_one() -> None:
    assert collate([sample(1), ClipBatch(clip(1), clip(1))]).style_id is None


def test_a_worker_writes_a_batch_into_shared_memory_at_once() -> None:
    # Otherwise each batch would be copied twice: into a stack, and from there into shared memory.
    (batch,) = DataLoader([sample(1), sample(2)], batch_size=2, num_workers=1, collate_fn=stack_and_tell)
    assert batch == [True, True, True]


def stack_and_tell(samples: list[ClipBatch]) -> list[bool]:
    return [tensor.is_shared() for tensor in stack([sample.content for sample in samples])]


def test_clips_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \[\(2, 3, 4, 6\), \(3, 3, 4, 6\)\]"):
        stack([clip(1), clip(1, frames=2)])
