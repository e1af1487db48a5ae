"""How fast training runs, how much of that time it waits for data, and how many clips could not be read."""

from time import perf_counter
from typing import Any, cast

import torch
from lightning import Callback, LightningModule, Trainer

from datamodules.batch import ClipBatch
from lightning_modules.base import StyleMethod


class Throughput(Callback):
    """Logs ``throughput/steps_per_second``, ``clips_per_second`` (both counted over all devices) and ``waiting`` (a share).

    They are measured from row to row of the loggers. Waiting is the time spent in the loader, as it says itself; what moves
    and changes a batch afterwards is work. The first batch, which warms up, does not count. ``data/replaced`` is how many
    clips of the run so far, over all devices, stand in for others that could not be read.
    """

    def __init__(self) -> None:
        self.started = self.waited = 0.0
        self.clips = self.step = self.replaced = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing is measured yet."""
        self.started = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: ClipBatch, batch_idx: int
    ) -> None:
        """Count the batch; for a row, log what was measured since the last one."""
        self.replaced += len(batch.failed)
        method, waited = cast(StyleMethod, pl_module), cast(Any, trainer.train_dataloader).waited
        step = method.generator_step
        if method.row_due:
            pl_module.log("data/replaced", float(self.replaced), sync_dist=True, reduce_fx="sum")
        if not self.started:
            self.restart(step, waited)
            return
        self.clips += len(batch.content.frames) * trainer.world_size
        if method.row_due:
            seconds = perf_counter() - self.started
            rates = {
                "steps_per_second": (step - self.step) / seconds,
                "clips_per_second": self.clips / seconds,
                "waiting": (waited - self.waited) / seconds,
            }
            pl_module.log_dict({f"throughput/{name}": rate for name, rate in rates.items()})
            self.restart(step, waited)

    def restart(self, step: int, waited: float) -> None:
        """Measure from here on."""
        self.started, self.step, self.clips, self.waited = perf_counter(), step, 0, waited

    def state_dict(self) -> dict[str, int]:
        """The clips replaced so far, of all devices. Asked on all of them together."""
        everyone = [self.replaced]
        if torch.distributed.is_initialized():
            everyone = [0] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(everyone, self.replaced)
        return {"replaced": sum(everyone)}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The reverse: the first device counts on from the total."""
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            self.replaced = state_dict["replaced"]
