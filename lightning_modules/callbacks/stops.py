"""A run that is asked to stop ends in good order: the step is finished and saved, and the exit status says so."""

import os
import signal
import subprocess
import sys
import threading
from time import monotonic
from types import FrameType
from typing import Any, cast

import torch
from lightning import Callback, LightningModule, Trainer

from lightning_modules.base import StyleMethod

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Stopped(SystemExit):
    """Ends the run; the status is 128 plus the number of the signal, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Stops(Callback):
    """On SIGTERM, SIGINT (Ctrl-C) or SIGUSR1, to any rank, all ranks finish the generators' step and end with ``Stopped``.

    Checkpoints saves then. A second signal ends its process at once, but for the SIGTERM that SLURM sends a job which was
    put back into its queue after SIGUSR1. Time that is up ends the run in good order, after one more step.

    Args:
        seconds: longest time to train, counted from when this process begins to; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.began = 0.0
        self.received = 0
        self.group: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the place of Lightning's handlers, of which one hangs if a rank other than 0 gets the signal."""
        if trainer.world_size > 1:
            self.group = torch.distributed.new_group(backend="gloo")  # so that asking does not wait for a GPU
            refuse_ranks_apart(cast(StyleMethod, pl_module))
        self.began = monotonic()
        if trainer.received_sigterm:  # while things were set up
            self.received = signal.SIGTERM
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._receive)  # at the end Lightning gives all signals back what they meant before

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Between two steps of the generators: ask all ranks, and stop if one has been asked to, or if time is up."""
        method = cast(StyleMethod, pl_module)
        if not method.between_steps:
            return
        late = self.seconds is not None and monotonic() - self.began >= self.seconds
        asked = torch.tensor([self.received, int(late)])
        if self.group is not None:
            torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX, group=self.group)
        number, late = asked.tolist()
        if number:
            raise Stopped(number)
        method.last_step = bool(late)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGUSR1 and number == signal.SIGTERM:
            return
        if self.received:
            os._exit(128 + number)
        self.received = number
        name = signal.Signals(number).name
        # Not print: it may be what the signal has interrupted.
        os.write(2, f"\n{name}: this step is finished and saved; once more stops at once\n".encode())


def refuse_ranks_apart(method: StyleMethod) -> None:
    """All ranks must go on at the same step; one that sees other files than the rest would train another run.

    Raises:
        ValueError: they do not.
    """
    steps = [0] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(steps, method.generator_step)
    if len(set(steps)) > 1:
        raise ValueError(
            f"resume: expected all ranks to go on at one step, got {steps}; give --resume the folder of the run, on a file "
            "system that all machines see"
        )


def requeue() -> None:
    """Ask SLURM to run this job again; nothing outside of SLURM."""
    if job := os.environ.get("SLURM_JOB_ID"):
        if "SLURM_ARRAY_JOB_ID" in os.environ:
            job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
        try:
            subprocess.run(["scontrol", "requeue", job], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"warning: the job could not be put back into the queue ({error}); submit it again", file=sys.stderr)
