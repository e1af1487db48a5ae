"""The folder a run writes, the trainer that fills it, and what a person is told at the end."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Literal, cast

import torch
from jsonargparse.typing import PositiveInt
from lightning import Callback, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import Logger, WandbLogger

from fit.hardware import allow_tf32, native_bf16
from fit.metrics_file import RunLogger
from fit.resume import take_note
from lightning_modules.callbacks.stops import Stops
from lightning_modules.checkpoint_io import VerifiedCheckpoints


class SaveConfig(SaveConfigCallback):
    """Writes ``config.yaml``, which runs the same again, and hands it to W&B where that is attached."""

    def save_config(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Called once, on the first rank; ``trainer.log_dir``, which all ranks must ask for together, would hang."""
        folder = cast(RunLogger, trainer.loggers[0]).folder
        part = folder / "config.part.yaml"
        self.parser.save(self.config, part, skip_none=False, overwrite=True, multifile=False)
        os.replace(part, folder / "config.yaml")  # that of a resumed run is there already, and must be at any moment
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(self.config.as_dict())
                logger.experiment.name = folder.name
                take_note(folder, wandb=logger.experiment.id)


def trainer(
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    devices: PositiveInt = 1,
    num_nodes: PositiveInt = 1,
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto",
    logger: Logger | list[Logger] | None = None,
    callbacks: list[Callback] | None = None,
    max_time: str | None = None,
    log_every_n_steps: int = 10,
    profiler: Literal["simple", "advanced"] | None = None,
    detect_anomaly: bool = False,
    deterministic: bool = False,
    tf32: bool = True,
) -> Trainer:
    """Where and how to compute: the part of Lightning's trainer that means something here, the rest being settled.

    Args:
        accelerator: where to compute.
        devices: how many of them in each machine.
        num_nodes: how many machines.
        precision: bf16-mixed computes most of the forward pass in bfloat16; auto does where the device does so natively.
        logger: further loggers beside metrics.csv.
        callbacks: further callbacks.
        max_time: longest time to train in one go, as DD:HH:MM:SS; the run ends in good order, and can be resumed.
        log_every_n_steps: generator steps between two rows of metrics.csv.
        profiler: what to time.
        detect_anomaly: name the operation that made the first NaN of a backward pass (slow).
        deterministic: only operations that repeat exactly, on GPUs too (slower).
        tf32: what computes in float32 on a GPU may round the factors of its products (faster); elsewhere nothing changes.
    """
    allow_tf32(tf32)
    return Trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        # Several optimizers leave parameters unused in each backward pass, which plain ddp refuses.
        strategy="ddp_find_unused_parameters_true" if devices * num_nodes > 1 else "auto",
        precision=resolved(precision, accelerator),
        logger=logger,
        callbacks=[Stops(seconds(max_time) if max_time else None), *(callbacks or [])],
        log_every_n_steps=log_every_n_steps,
        profiler=profiler,
        detect_anomaly=detect_anomaly,
        deterministic=deterministic,
        max_epochs=-1,  # StyleMethod.steps ends a run
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,  # ClipDataModule brings its own, exact one
        plugins=[VerifiedCheckpoints()],
        enable_checkpointing=False,  # callbacks of this project take their place
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def seconds(time: str) -> float:
    """Of a time as DD:HH:MM:SS.

    Raises:
        ValueError: written otherwise.
    """
    if not re.fullmatch(r"\d+:\d+:\d+:\d+", time):
        raise ValueError(f"max_time: expected DD:HH:MM:SS, such as 00:08:00:00 for eight hours, got {time}")
    days, hours, minutes, rest = map(int, time.split(":"))
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + rest


def resolved(precision: Literal["auto", "32-true", "bf16-mixed"], accelerator: str) -> Literal["32-true", "bf16-mixed"]:
    """The precision to compute in."""
    if precision != "auto":
        return precision
    gpu = accelerator in ("auto", "gpu") and torch.cuda.is_available()
    return "bf16-mixed" if accelerator != "mps" and native_bf16("cuda" if gpu else "cpu") else "32-true"


REPAINT = ("-m", "fit.stylize", "IN.mp4", "OUT.mp4", "--checkpoint")


def farewell(folder: Path, step: int, steps: int) -> str:
    """Where things are, and the command that uses them, or, if the run is not complete, the one that goes on with it."""
    sheets = sorted((folder / "samples").glob("*.png"))
    last = str(folder / "checkpoints" / "last.ckpt")
    if step < steps:
        what, command = f"Ended at step {step} of {steps}. Go on with:", [python(), "-m", "fit", "--resume", str(folder)]
    else:
        what, command = (
            "Repaint a video with it:",
            [python(), *REPAINT, last],
        )
    return "\n".join(
        [
            f"Run:          {folder} (config.yaml repeats it, metrics.csv has the losses)",
            f"Samples:      {f'{sheets[-1]} (and .mp4)' if sheets else 'none yet'}",
            f"Checkpoints:  {folder / 'checkpoints'}",
            what,
            f"  {shlex.join(command)}",
        ]
    )


def python() -> str:
    """How to call this interpreter from here."""
    if shutil.which("python") == sys.executable:
        return "python"
    here = Path(sys.executable)
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)
