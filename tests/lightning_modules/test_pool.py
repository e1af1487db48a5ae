"""The pool: what it gives back, what it remembers, and what it must not hold on to."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_modules.pool import Pool, Recent
from lightning_modules.slots import Slots


def numbered(first: int, count: int) -> Tensor:
    """Pictures that can be told apart."""
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def slots(update: int = 0, size: int = 1, **rest: int) -> Slots:
    return Slots(0, update, size, **rest)


def values(pictures: Iterable[Tensor]) -> list[int]:
    return [int(picture.flatten()[0]) for picture in pictures]


def test_returns_everything_until_it_is_full() -> None:
    pool = Pool(6)
    for update in range(3):
        batch = numbered(2 * update, 2)
        assert torch.equal(pool(batch, slots(update, 2)), batch)
    assert values(pool.items[1]) == [1, 3, 5]


def test_then_returns_old_and_new_with_equal_probability() -> None:
    pool = Pool(10)
    old = 0
    for i in range(2010):
        (given,) = pool(numbered(i, 1), slots(i))
        old += int(given[0, 0, 0].item()) != i
    assert abs(old / 2000 - 0.5) < 4 * 0.5 / 2000**0.5  # four standard deviations


def test_nothing_is_returned_twice_or_invented_nor_moved_to_another_slot() -> None:
    pool = Pool(7)
    batches = [pool(numbered(3 * i, 3), slots(i, 3)) for i in range(100)]
    returned = [value for batch in batches for value in values(batch)]
    kept = [value for items in pool.items.values() for value in values(items)]
    assert sorted(returned + kept) == sorted([*range(300), *range(9)])  # the first three of each slot are kept and returned
    assert all(value % 3 == place for batch in batches for place, value in enumerate(values(batch)))


def test_the_size_is_shared_out_among_the_slots_of_the_global_batch() -> None:
    for share, total in ((50, 1), (25, 2), (13, 4), (1, 64)):
        pool = Pool(50)
        for update in range(60):
            pool(numbered(update, 1), slots(update, ranks=total))
        assert [len(items) for items in pool.items.values()] == [share]


def test_a_batch_split_over_devices_and_parts_is_shown_the_same() -> None:
    whole, ranks = Pool(8), [Pool(8), Pool(8)]
    for update in range(20):
        batch = numbered(8 * update, 8)
        shown = [
            ranks[rank](batch[first : first + 2], slots(update, 2, rank=rank, ranks=2, part=part, parts=2))
            for first, part, rank in ((0, 0, 0), (2, 0, 1), (4, 1, 0), (6, 1, 1))
        ]
        assert torch.equal(torch.cat(shown), whole(batch, slots(update, 8)))
    assert {slot: values(items) for pool in ranks for slot, items in pool.items.items()} == {
        slot: values(items) for slot, items in whole.items.items()
    }


def test_holds_neither_graph_nor_batch() -> None:
    pool = Pool(16)
    for update in range(4):
        batch = torch.rand(8, 2, 3, 2, 2, requires_grad=True) * 1
        assert not pool(batch, slots(update, 8)).requires_grad
    kept = [item for items in pool.items.values() for item in items]
    assert len(kept) == 16
    assert not any(item.requires_grad for item in kept)
    assert all(item.untyped_storage().nbytes() == item.nbytes for item in kept)


def test_goes_on_after_loading_as_it_would_have(tmp_path: Path) -> None:
    pool = Pool(4)
    for update in range(3):
        pool(numbered(3 * update, 3), slots(update, 3))
    torch.save(pool.state_dict(), tmp_path / "pool.pth")
    resumed = Pool(4)
    resumed.load_state_dict(torch.load(tmp_path / "pool.pth", weights_only=True))
    for update in range(3, 13):
        batch = numbered(3 * update, 3)
        assert torch.equal(pool(batch, slots(update, 3)), resumed(batch, slots(update, 3)))


def test_slots_of_other_devices_are_forgotten_at_the_first_batch() -> None:
    pool = Pool(8)
    pool.items = {slot: [numbered(slot, 1)[0]] for slot in range(4)}
    pool(numbered(9, 1), slots(1, rank=1, ranks=2, parts=2))
    assert {slot: values(items) for slot, items in pool.items.items()} == {1: [1, 9], 3: [3]}


def test_goes_on_with_fewer_where_its_share_has_shrunk() -> None:
    pool = Pool(4)
    for update in range(4):
        pool(numbered(update, 1), slots(update))
    assert len(pool.items[0]) == 4
    pool(numbered(4, 2), slots(4, 2))
    assert len(pool.items[0]) == 2


def test_size_zero_returns_what_came() -> None:
    batch = torch.rand(2, 3, 4, 4, requires_grad=True)
    given = Pool(0)(batch, slots(size=2))
    assert torch.equal(given, batch)
    assert not given.requires_grad


def test_another_size_of_pictures_starts_afresh() -> None:
    pool = Pool(2)
    pool(torch.zeros(2, 3, 4, 4), slots(size=2))
    assert torch.equal(pool(torch.ones(2, 3, 8, 8), slots(1, 2)), torch.ones(2, 3, 8, 8))


def test_returns_the_type_of_the_batch() -> None:
    pool = Pool(1)
    pool(torch.zeros(1, 3, 4, 4), slots())
    assert all(pool(torch.ones(1, 3, 4, 4).bfloat16(), slots(i)).dtype == torch.bfloat16 for i in range(1, 7))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_shown_and_not_kept(value: float) -> None:
    pool, recent = Pool(2), Recent(3)
    for memory in (pool, recent):
        memory(numbered(1, 1), slots())
        for update in range(1, 9):  # while the pool fills, and once it is full
            (shown,) = memory(torch.full((1, 3, 2, 2), value), slots(update))
            assert not shown.isfinite().all()
            assert values(memory.items[0]) == ([1] if update < 5 or memory is recent else [1, 2])
            if update == 4 and memory is pool:
                memory(numbered(2, 1), slots())


def test_negative_size() -> None:
    with pytest.raises(ValueError, match="got -1"):
        Pool(-1)


def test_recent_keeps_the_latest_of_each_slot_and_gives_gradients_to_the_new_one_alone() -> None:
    recent = Recent(2)
    batches = [numbered(2 * i, 2).requires_grad_() for i in range(3)]
    for update, batch in enumerate(batches):
        known = recent(batch, slots(update, 2))
    assert [values(one) for one in known] == [[2, 4], [3, 5]]
    torch.stack(known).square().sum().backward()
    assert batches[1].grad is None
    assert batches[2].grad is not None
    assert not any(item.requires_grad for items in recent.items.values() for item in items)
    (alone,) = Recent(1)(batches[0][:1], slots())
    assert values(alone) == [0]


def test_recent_starts_afresh_with_pictures_of_another_size_and_goes_on_after_loading() -> None:
    recent, resumed = Recent(3), Recent(3)
    recent(torch.zeros(1, 3, 4, 4), slots())
    assert torch.equal(recent(torch.ones(1, 3, 8, 8), slots(1))[0], torch.ones(1, 3, 8, 8))
    resumed.load_state_dict(recent.state_dict())
    batch = torch.zeros(1, 3, 8, 8)
    assert torch.equal(resumed(batch, slots(2))[0], recent(batch, slots(2))[0])
