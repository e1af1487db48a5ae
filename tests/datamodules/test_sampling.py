"""Sampling that depends on nothing but the seed: not on workers, ranks, or what was drawn before."""

from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules.batch import ClipBatch, Clips
from datamodules.random import Draw
from datamodules.sampling import DrawSampler, Unpaired, Validation, order


def number(clips: Clips) -> int:
    return int(clips.frames[0, 0, 0, 0])


@pytest.fixture
def unpaired(numbered: Any) -> Any:
    """Ten clips of content, 0 to 9; three of style, 100 to 102."""
    return lambda length: Unpaired(numbered(10), numbered(3, 100), length)


def samples(data: Unpaired, epochs: int) -> list[ClipBatch]:
    return [data[Draw(0, 0, number)] for number in range(epochs * len(data))]


@pytest.mark.parametrize("length", [1, 3, 7, 16])
def test_every_clip_once_a_pass_each_pass_in_a_new_order(unpaired: Any, length: int) -> None:
    shown = samples(unpaired(length), 70 // length)
    for domain, clips in (("content", 10), ("style", 3)):
        seen = [number(getattr(sample, domain)) % 100 for sample in shown]
        passes = [seen[i : i + clips] for i in range(0, len(seen) - clips + 1, clips)]
        assert all(sorted(one) == list(range(clips)) for one in passes)
        assert len({tuple(one) for one in passes}) > 1


def test_no_two_passes_draw_alike(unpaired: Any) -> None:
    seen: dict[int, list[Tensor]] = {}
    for sample in samples(unpaired(25), 2):  # five passes
        earlier = seen.setdefault(number(sample.content), [])
        assert not any(torch.equal(sample.content.frames, one) for one in earlier)
        earlier.append(sample.content.frames)
    assert all(len(clips) == 5 for clips in seen.values())


def test_content_meets_every_style(unpaired: Any) -> None:
    pairs = {(number(sample.content), number(sample.style)) for sample in samples(unpaired(10), 12)}
    assert len(pairs) > 25  # of 30: the two domains are shuffled apart


def test_a_sample_follows_from_its_draw(unpaired: Any) -> None:
    one, other, changed = unpaired(10), unpaired(10), unpaired(10)
    draws = [Draw(4, 0, number) for number in range(30)]
    forwards = [one[draw] for draw in draws]
    backwards = [other[draw] for draw in draws[::-1]][::-1]
    for draw, a, b in zip(draws, forwards, backwards, strict=True):
        assert torch.equal(a.content.frames, b.content.frames)
        assert torch.equal(a.style.frames, b.style.frames)
        assert a.draws == (draw,)
    assert any(number(changed[d._replace(seed=5)].content) != number(a.content) for d, a in zip(draws, forwards, strict=True))


def test_the_order_of_a_pass_is_made_once() -> None:
    one = order(0, "content", 3, 1000)
    assert sorted(one.tolist()) == list(range(1000))
    assert order(0, "content", 3, 1000) is one
    for other in (order(1, "content", 3, 1000), order(0, "style", 3, 1000), order(0, "content", 4, 1000)):
        assert other.tolist() != one.tolist()


def test_a_sample_names_its_style(numbered: Any) -> None:
    class TwoStyles(numbered):
        styles = ("ink", "oil")

        def style_id(self, index: int) -> int:
            return index % 2

    for sample in samples(Unpaired(numbered(5), TwoStyles(4, broken=[2]), 20), 1):
        assert int(sample.style_id) == number(sample.style) % 2, "also of a clip that stands in for another"


def test_validation_is_fixed(numbered: Any) -> None:
    data = Validation(numbered(4), numbered(2, 100), seed=0)
    assert [(number(data[i].content), number(data[i].style)) for i in range(len(data))] == [
        (0, 100),
        (1, 101),
        (2, 100),
        (3, 101),
    ]
    assert torch.equal(data[3].content.frames, data[3].content.frames)


def test_a_failed_clip_is_replaced_and_told(numbered: Any) -> None:
    data = Unpaired(numbered(10, broken=[4]), numbered(3, 100, broken=[1]), 10)
    for sample in samples(data, 2):
        assert number(sample.content) != 4
        assert number(sample.style) != 101
    failed = [(failure.domain, failure.number) for sample in samples(data, 3) for failure in sample.failed]
    assert failed.count(("content", 4)) >= 3, "every time it is met"
    assert set(failed) == {("content", 4), ("style", 1)}
    fixed = Validation(numbered(3, broken=[1]), numbered(2), seed=0)
    assert number(fixed[1].content) != 1
    assert len(fixed[1].failed) >= 1


def test_samples_are_numbered_from_the_beginning_of_the_run() -> None:
    sampler = DrawSampler(seed=5, batches=2, batch_size=2, rank=1, ranks=2, done=lambda: 6)
    assert len(sampler) == 4
    assert list(sampler) == [Draw(5, 0, number) for number in (26, 27, 30, 31)]


def test_sampler_goes_on_where_the_run_is() -> None:
    done = 0
    sampler = DrawSampler(0, batches=6, batch_size=2, done=lambda: done)
    numbers = [Draw(0, 0, number) for number in range(36)]
    assert list(sampler) == numbers[:12]
    assert list(sampler) == numbers[:12], "as long as nothing was done with it"
    for done in (1, 4, 5, 6, 8, 12, 17):
        assert list(sampler) == numbers[2 * done : 12 * (done // 6 + 1)]


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_an_epoch_without_overlap_or_loss(ranks: int) -> None:
    whole = list(DrawSampler(0, 4, 2 * ranks))
    parts = [list(DrawSampler(0, 4, 2, rank, ranks)) for rank in range(ranks)]
    assert sorted(chain(*parts)) == sorted(whole)
    assert [draw for batch in range(4) for part in parts for draw in part[2 * batch : 2 * batch + 2]] == whole


def test_neither_the_size_of_a_batch_nor_the_length_of_an_epoch_changes_the_order() -> None:
    def first(batches: int, batch_size: int) -> list[Draw]:
        done, named = 0, list[Draw]()
        while len(named) < 24:
            named += DrawSampler(0, batches, batch_size, done=lambda: done)  # noqa: B023
            done += batches
        return named[:24]

    assert first(3, 2) == first(2, 4) == first(7, 1) == [Draw(0, 0, number) for number in range(24)]
