"""Every clip of the global batch has one place, however the batch is split, and chance of its own."""

import pytest
import torch

from lightning_modules.slots import Slots


@pytest.mark.parametrize(("size", "ranks", "parts"), [(8, 1, 1), (4, 2, 1), (4, 1, 2), (2, 2, 2), (1, 4, 2)])
def test_a_split_covers_the_global_batch_once_in_order(size: int, ranks: int, parts: int) -> None:
    split = [Slots(0, 3, size, rank, ranks, part, parts) for part in range(parts) for rank in range(ranks)]
    assert [slot for slots in split for slot in slots.here] == list(range(8))
    assert {slots.total for slots in split} == {8}
    for slots in split:
        assert slots.mine == {slot for other in split if other.rank == slots.rank for slot in other.here}


def test_chance_follows_from_seed_stream_update_and_slot_alone() -> None:
    def first(slots: Slots, stream: str = "pool") -> list[float]:
        return [draws.random() for draws in slots.draws(stream)]

    whole = first(Slots(1, 5, 4))
    assert first(Slots(1, 5, 2, rank=1, ranks=2)) == whole[2:]
    assert first(Slots(1, 5, 1, part=3, parts=4)) == whole[3:]
    assert len(set(whole)) == 4
    for other in (first(Slots(2, 5, 4)), first(Slots(1, 6, 4)), first(Slots(1, 5, 4), "penalty")):
        assert not set(other) & set(whole)
    noise = [torch.randn(2, generator=chance) for chance in Slots(1, 5, 4).torch_generators("pool")]
    (again,) = Slots(1, 5, 1, rank=2, ranks=4).torch_generators("pool")
    assert torch.equal(torch.randn(2, generator=again), noise[2])
    assert not torch.equal(noise[0], noise[1])
