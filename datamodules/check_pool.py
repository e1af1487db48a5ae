"""Checks many video files side by side, with progress and the time left."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tqdm import tqdm

from datamodules.check_process import PATIENCE, Checker
from datamodules.cores import cores

MOST_PROCESSES = 16  # more would wait for the disk


def check_files(sizes: dict[Path, int], patience: float = PATIENCE) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The answers of ``Checker`` to files, as they come.

    Args:
        sizes: of the files, in bytes, by their paths.
        patience: see ``Checker``.
    """
    if not sizes:
        return
    checkers = [Checker(patience) for _ in range(min(len(sizes), cores(), MOST_PROCESSES))]
    free: SimpleQueue[Checker] = SimpleQueue()
    for checker in checkers:
        free.put(checker)
    with (
        tqdm(desc="checking videos", total=sum(sizes.values()), unit="B", unit_scale=True, leave=False, delay=2) as bar,
        ThreadPoolExecutor(len(checkers)) as threads,
    ):
        # The largest first, so that no process is left alone with one at the end.
        largest_first = sorted(sizes, key=lambda path: -sizes[path])
        running = [threads.submit(_check, path, sizes[path], free, bar) for path in largest_first]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            for waiting in running:
                waiting.cancel()
            for checker in checkers:
                checker.close()


def _check(path: Path, size: int, free: "SimpleQueue[Checker]", bar: Any) -> tuple[Path, dict[str, Any]]:
    done, checker = 0, free.get()

    def progress(share: float) -> None:
        nonlocal done
        bar.update(int(share * size) - done)
        done = int(share * size)

    try:
        found = checker.check(path, progress)
    finally:
        free.put(checker)
    progress(1.0)
    return path, found
