"""The pool: what it gives back, what it remembers, and what it must not hold on to."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.pool import Pool, Recent


def numbered(first: int, count: int) -> Tensor:
    """Pictures that can be told apart."""
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_returns_everything_until_it_is_full() -> None:
    pool = Pool(5)
    assert torch.equal(pool(numbered(0, 5), draws()), numbered(0, 5))


def test_then_returns_old_and_new_with_equal_probability() -> None:
    pool, random = Pool(10), draws()
    pool(numbered(0, 10), random)
    old = 0
    for i in range(10, 2010):
        (given,) = pool(numbered(i, 1), random)
        old += int(given[0, 0, 0].item()) != i
    assert abs(old / 2000 - 0.5) < 4 * 0.5 / 2000**0.5  # four standard deviations


def test_nothing_is_returned_twice_or_invented() -> None:
    pool, random = Pool(7), draws()
    pool(numbered(0, 7), random)
    returned = [int(v) for i in range(7, 307, 3) for v in pool(numbered(i, 3), random)[:, 0, 0, 0]]
    kept = [int(item[0, 0, 0]) for item in pool.items]
    assert sorted(returned + kept) == list(range(307))


def test_holds_neither_graph_nor_batch() -> None:
    pool, random = Pool(3), draws()
    for _ in range(4):
        batch = torch.rand(8, 2, 3, 2, 2, requires_grad=True) * 1
        assert not pool(batch, random).requires_grad
    assert len(pool.items) == 3
    assert not any(item.requires_grad for item in pool.items)
    assert all(item.untyped_storage().nbytes() == item.nbytes for item in pool.items)


def test_goes_on_after_loading_as_it_would_have(tmp_path: Path) -> None:
    pool = Pool(4)
    pool(numbered(0, 9), draws(1))
    torch.save(pool.state_dict(), tmp_path / "pool.pth")
    resumed = Pool(4)
    resumed.load_state_dict(torch.load(tmp_path / "pool.pth", weights_only=True))
    for i in range(9, 39, 3):
        assert torch.equal(pool(numbered(i, 3), draws(i)), resumed(numbered(i, 3), draws(i)))


def test_loads_into_a_smaller_one() -> None:
    pool, smaller = Pool(4), Pool(2)
    pool(numbered(0, 4), draws())
    smaller.load_state_dict(pool.state_dict())
    assert len(smaller.items) == 2


def test_size_zero_returns_what_came() -> None:
    batch = torch.rand(2, 3, 4, 4, requires_grad=True)
    given = Pool(0)(batch, draws())
    assert torch.equal(given, batch)
    assert not given.requires_grad


def test_another_size_of_pictures_starts_afresh() -> None:
    pool = Pool(2)
    pool(torch.zeros(2, 3, 4, 4), draws())
    assert torch.equal(pool(torch.ones(2, 3, 8, 8), draws()), torch.ones(2, 3, 8, 8))


def test_returns_the_type_of_the_batch() -> None:
    pool = Pool(1)
    pool(torch.zeros(1, 3, 4, 4), draws())
    assert all(pool(torch.ones(1, 3, 4, 4).bfloat16(), draws(i)).dtype == torch.bfloat16 for i in range(6))


def test_negative_size() -> None:
    with pytest.raises(ValueError, match="got -1"):
        Pool(-1)


def test_recent_keeps_the_latest_and_gives_gradients_to_the_new_ones_alone() -> None:
    recent = Recent(4)
    first, second = (numbered(i, 3).float().requires_grad_() for i in (0, 3))
    assert torch.equal(recent(first), first)
    kept = recent(second)
    assert torch.equal(kept, torch.cat([first[2:], second]))
    kept.square().sum().backward()
    assert first.grad is None
    assert second.grad is not None
    assert not recent.items.requires_grad


def test_recent_takes_all_of_a_batch_larger_than_itself() -> None:
    recent, batch = Recent(2), numbered(0, 5)
    assert torch.equal(recent(batch), batch)
    assert torch.equal(recent(numbered(5, 1)), numbered(4, 2))


def test_recent_starts_afresh_with_pictures_of_another_size_and_goes_on_after_loading() -> None:
    recent, resumed = Recent(3), Recent(3)
    recent(torch.zeros(2, 3, 4, 4))
    assert torch.equal(recent(torch.ones(1, 3, 8, 8)), torch.ones(1, 3, 8, 8))
    resumed.load_state_dict(recent.state_dict())
    assert torch.equal(resumed(torch.zeros(1, 3, 8, 8)), recent(torch.zeros(1, 3, 8, 8)))
