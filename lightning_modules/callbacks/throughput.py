"""How fast training runs, and how much of that time it waits for data."""

from time import perf_counter
from typing import Any, cast

from lightning import Callback, LightningModule, Trainer

from datamodules.batch import ClipBatch
from lightning_modules.base import StyleMethod


class Throughput(Callback):
    """Logs ``throughput/steps_per_second``, ``clips_per_second`` (both counted over all devices) and ``waiting`` (a share).

    The time from the end of one batch to the start of the next is waiting: the loader's, and the little that is done between
    batches. Must stand first among the callbacks, so that their work counts as work. The first batch, which warms up, does not
    count.

    Args:
        every: batches between two measurements, >= 1.
    """

    def __init__(self, every: int = 10) -> None:
        self.every = every
        self.started = self.ended = self.waited = 0.0
        self.clips = self.step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing is measured yet."""
        self.ended = self.started = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The wait is over."""
        if self.ended:
            self.waited += perf_counter() - self.ended

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: ClipBatch, batch_idx: int
    ) -> None:
        """Count the batch; every so often log what was measured since the last time."""
        self.ended = perf_counter()
        step = cast(StyleMethod, pl_module).generator_step
        if not self.started:
            self.restart(step)
            return
        self.clips += len(batch.content.frames) * trainer.world_size
        if (batch_idx + 1) % self.every == 0:
            seconds = self.ended - self.started
            rates = {
                "steps_per_second": (step - self.step) / seconds,
                "clips_per_second": self.clips / seconds,
                "waiting": self.waited / seconds,
            }
            pl_module.log_dict({f"throughput/{name}": rate for name, rate in rates.items()})
            self.restart(step)

    def restart(self, step: int) -> None:
        """Measure from here on."""
        self.started, self.step, self.clips, self.waited = self.ended, step, 0, 0.0
