"""Stages at the same time: order kept, little held, errors and early ends pass through and leave no thread behind."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from fit.pipeline import ahead, side_by_side

SOON = 10.0  # seconds; what is waited for comes at once, or never


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before


def test_items_come_in_order() -> None:
    with ahead(range(50), 3) as items:
        assert list(items) == list(range(50))


def test_items_are_made_before_they_are_asked_for_but_not_many() -> None:
    made, third = [], threading.Event()

    def source() -> Iterator[int]:
        for n in range(20):
            made.append(n)
            if len(made) == 4:
                third.set()
            yield n

    with ahead(source(), 3) as items:
        assert third.wait(SOON)  # three wait, one is held
        for n in items:
            assert len(made) - n <= 1 + 3 + 1
    assert made == list(range(20))


def test_an_error_comes_after_what_came_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with ahead(source(), 3) as items:
        assert next(items) == 1
        with pytest.raises(KeyboardInterrupt):
            next(items)


def test_leaving_early_ends_the_source_where_it_is() -> None:
    made = []

    def source() -> Iterator[int]:
        for n in range(1000):
            made.append(n)
            yield n

    with ahead(source(), 2) as items:
        next(items)
    assert len(made) <= 6
    with pytest.raises(ZeroDivisionError), ahead(source(), 2):
        raise ZeroDivisionError


def test_results_come_in_the_order_of_the_items_whoever_is_ready_first() -> None:
    second = threading.Event()

    def slow_at_first(n: int) -> int:
        if n == 0:
            assert second.wait(SOON)
        else:
            second.set()
        return -n

    assert list(side_by_side(slow_at_first, range(20), 2)) == [-n for n in range(20)]


def test_as_many_work_at_once_as_there_are_workers() -> None:
    meet = threading.Barrier(3, timeout=SOON)
    assert list(side_by_side(lambda _: meet.wait() < 3, range(9), 3)) == [True] * 9


def test_few_items_are_under_way() -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        while taken < 30:
            taken += 1
            yield taken

    for done in side_by_side(lambda n: n, source(), 2):
        assert taken - done < 4
    assert taken == 30


def test_each_worker_begins_once() -> None:
    begun: list[str] = []
    meet = threading.Barrier(2, timeout=SOON)
    list(side_by_side(lambda _: meet.wait(), range(6), 2, lambda: begun.append(threading.current_thread().name)))
    assert len(begun) == len(set(begun)) == 2


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_of_a_worker_or_the_source_is_raised_where_results_are_taken(failure: type[BaseException]) -> None:
    def fails(n: int) -> int:
        if n == 5:
            raise failure
        return n

    taken: list[int] = []
    with pytest.raises(failure):
        taken.extend(side_by_side(fails, range(20), 2))
    with pytest.raises(failure):
        taken.extend(side_by_side(abs, map(fails, range(20)), 2))


def test_closing_early_ends_all_workers() -> None:
    done: list[int] = []
    with closing(side_by_side(done.append, range(1000), 2)) as results:
        next(results)
    assert len(done) <= 6
