"""Work on shards in several processes that may be stopped, or lose their parent, at any moment."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

import cv2

Job = TypeVar("Job")
Result = TypeVar("Result")

LOOK = 0.2  # seconds between two looks at what was done


class WorkerDiedError(RuntimeError):
    """A process ended without a word."""


def _prepare(stopped: Connection) -> None:
    cv2.setNumThreads(0)

    def watch() -> None:
        stopped.poll(None)  # until the parent closes the other end, or dies, which closes it too
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _born_deaf() -> Iterator[None]:
    """Processes started here never hear Ctrl-C, not even while they begin; the parent, which decides, hears it afterwards."""
    heard: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))  # a library's thread may hear it, too
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is started inherits it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if heard:
        raise KeyboardInterrupt


def work(function: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> Generator[list[Result]]:
    """Call ``function`` for every job. Yields what was finished since, several times a second, also when that is nothing.

    On an error, or when the caller ends, processes stop where they are: jobs must bear that.
    To be called from the main thread.

    Args:
        function: of a module, as processes are started afresh.
        jobs: that pickle.
        processes: at most.

    Raises:
        WorkerDiedError: a process was killed.
        Exception: what a job raised.
    """
    context = multiprocessing.get_context("spawn")  # a fork would take along locks of threads
    stopped, stop = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(processes, context, initializer=_prepare, initargs=(stopped,))
    try:
        with _born_deaf():
            waiting: set[Future[Result]] = {pool.submit(function, job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, LOOK, FIRST_COMPLETED)
            yield [future.result() for future in done]
    except BrokenProcessPool as error:
        raise WorkerDiedError("a process was killed, for its memory perhaps; run the same command to go on") from error
    finally:
        stop.close()
        pool.shutdown(cancel_futures=True)
        stopped.close()
