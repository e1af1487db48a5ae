"""The loader of batches, and how its workers begin."""

import os
import signal
import threading
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import cv2
from torch.utils.data import DataLoader

from datamodules.batch import ClipBatch


class ClipLoader(DataLoader[ClipBatch]):
    """A loader that Lightning knows to go on where a checkpoint ends, see ``ClipDataModule.batches_done``.

    ``waited`` are the seconds that whoever takes its batches has spent waiting for them so far.
    """

    waited = 0.0

    def __iter__(self) -> Any:
        began = perf_counter()
        batches = super().__iter__()  # here workers start to read ahead
        self.waited += perf_counter() - began
        return self._timed(batches)

    def _timed(self, batches: Iterator[ClipBatch]) -> Iterator[ClipBatch]:
        began = perf_counter()
        for batch in batches:
            self.waited += perf_counter() - began
            yield batch
            began = perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """Nothing beyond what Lightning itself counts."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Without this pair Lightning warns that samples will repeat."""


def begin(worker: int) -> None:
    """How a worker begins: it uses one thread, and its parent alone ends it.

    A signal to stop often reaches all processes of a job or a terminal. The parent then finishes its step, for which it needs
    the worker.
    """
    # A forked OpenCV waits for ever for the threads of its parent; and workers are the parallelism here.
    cv2.setNumThreads(0)
    if hasattr(signal, "sigwaitinfo"):
        for number in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey_parent, daemon=True).start()


def _obey_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
