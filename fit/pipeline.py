"""Stages that work at the same time, in threads, with little waiting between them, so that memory stays what it is.

Decoders, networks and encoders leave Python's lock alone while they compute. An error in any stage, an interruption too, is
raised again where the results are taken; whatever else is under way ends before that.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class _End:
    """The end of a stage, and why, if it is an error."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Iterable[A], room: int) -> Iterator[Iterator[A]]:
    """Let a thread make items before they are asked for.

    On leaving, the thread makes the item it is at and no more; only then does this return.

    Args:
        items: iterated in that thread alone.
        room: how many may wait to be taken, >= 1.
    """
    waiting: Queue[A | _End] = Queue(room)
    stopped = Event()
    thread = Thread(target=_fill, args=(items, waiting, stopped), daemon=True)
    thread.start()
    try:
        yield _taken(waiting)
    finally:
        stopped.set()
        while thread.is_alive():
            with suppress(Empty):  # a place becomes free for what the thread may be holding
                waiting.get_nowait()
            thread.join(0.02)


def _fill(items: Iterable[A], waiting: "Queue[A | _End]", stopped: Event) -> None:
    end = _End()
    try:
        for item in items:
            waiting.put(item)
            if stopped.is_set():
                return
    except BaseException as error:  # raised again by the one who takes
        end = _End(error)
    waiting.put(end)


def _taken(waiting: "Queue[A | _End]") -> Iterator[A]:
    while not isinstance(item := waiting.get(), _End):
        yield item
    if item.error is not None:
        raise item.error


def side_by_side(
    function: Callable[[A], B], items: Iterable[A], workers: int, begin: Callable[[], object] = lambda: None
) -> Generator[B]:
    """What ``function`` makes of each item, in the items' order, several at a time.

    At most twice as many items as ``workers`` are under way or done and not yet taken.

    Args:
        function: called in threads.
        items: iterated where the results are taken.
        workers: threads, >= 1.
        begin: called once in each thread before its first item.
    """
    pool = ThreadPoolExecutor(workers, initializer=begin)
    pending: deque[Future[B]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) == 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
