import os
import signal
import subprocess
import time
from typing import Any

import cv2
import pytest
from lightning.pytorch.utilities.combined_loader import CombinedLoader
from torch.utils.data import Dataset

from datamodules.loading import ClipLoader, begin


class Slow(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        time.sleep(0.05)
        return index


def threads(numbers: list[int]) -> list[int]:
    return [cv2.getNumThreads()]


@pytest.mark.parametrize("workers", [0, 2])
def test_waiting_is_what_batches_take_and_not_what_is_done_with_them(workers: int) -> None:
    loader = ClipLoader(Slow(), batch_size=1, num_workers=workers, persistent_workers=workers > 0)
    began, worked = time.perf_counter(), 0.0
    for _ in range(2):
        for _ in loader:
            entered = time.perf_counter()
            time.sleep(0.1)
            worked += time.perf_counter() - entered
    took = time.perf_counter() - began
    assert loader.waited == pytest.approx(took - worked, abs=0.02)
    if workers == 0:
        assert loader.waited >= 8 * 0.05


def test_workers_read_ahead_from_the_start() -> None:
    loader = ClipLoader(Slow(), batch_size=1, num_workers=1)
    batches = iter(loader)
    time.sleep(1)
    before = loader.waited
    next(batches)
    assert loader.waited - before < 0.05, "the first batch was there"


def test_workers_use_one_thread() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        assert list(ClipLoader(Slow(), 4, num_workers=1, collate_fn=threads, worker_init_fn=begin)) == [[1]]
        assert list(ClipLoader(Slow(), 4, num_workers=1, collate_fn=threads)) == [[3]]
    finally:
        cv2.setNumThreads(before)


class Own(Dataset[int]):
    """Tells who reads it."""

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> int:
        return os.getpid()


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="signals tell their sender on Linux alone")
def test_only_the_parent_ends_a_worker() -> None:
    loader: Any = ClipLoader(Own(), batch_size=1, num_workers=1, worker_init_fn=begin)
    batches = iter(loader)
    worker = int(next(batches)[0])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        subprocess.run(["kill", f"-{int(number)}", str(worker)], check=True)  # somebody else
    assert all(int(next(batches)[0]) == worker for _ in range(20))
    os.kill(worker, signal.SIGTERM)
    with pytest.raises((RuntimeError, ConnectionError, EOFError)):  # while it was waited for, or read from
        list(batches)


def test_lightning_takes_it_for_one_that_resumes() -> None:
    loader: Any = ClipLoader(Slow())
    assert CombinedLoader(loader)._state_dicts() == [{}]
