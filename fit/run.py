"""The folder a run writes, the trainer that fills it, and what a person is told at the end."""

import re
import shlex
import shutil
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from fit.hardware import allow_tf32, native_bf16

RUNS = Path("runs")


def new_folder(name: str) -> Path:
    """Make ``runs/<time>-<name>``, with a number behind it if another run started in the same second.

    Under several processes only the first makes it; Lightning tells the others through ``trainer.log_dir``.

    Raises:
        ValueError: the name cannot be part of a folder's name.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"name: expected letters, digits, dots, dashes and underscores, got {name!r}")
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    number = 1
    while getattr(rank_zero_only, "rank", 0) == 0:
        folder = RUNS / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
    return RUNS / stem


def remove(folder: Path) -> None:
    """Take a folder back, as if nothing had been started."""
    shutil.rmtree(folder)
    with suppress(OSError):
        RUNS.rmdir()  # only if no other run is in it


class RunLogger(CSVLogger):
    """``metrics.csv`` in the run folder itself; the configuration is in config.yaml already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(save_dir=folder, name="", version="")

    @property
    def log_dir(self) -> str:
        """The run folder."""
        return self.save_dir

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """No second record of the configuration."""


class SaveConfig(SaveConfigCallback):
    """Writes ``config.yaml``, which runs the same again, and hands it to W&B where that is attached."""

    def save_config(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Called once, on the first rank; ``trainer.log_dir``, which all ranks must ask for together, would hang."""
        folder = Path(cast(RunLogger, trainer.loggers[0]).log_dir)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(self.config.as_dict())
                logger.experiment.name = folder.name


def trainer(
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto",
    devices: int = 1,
    num_nodes: int = 1,
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
        max_time: longest time to train, as DD:HH:MM:SS; the run ends in good order.
        log_every_n_steps: batches between two rows of metrics.csv.
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
        callbacks=callbacks,
        max_time=max_time,
        log_every_n_steps=log_every_n_steps,
        profiler=profiler,
        detect_anomaly=detect_anomaly,
        deterministic=deterministic,
        max_epochs=-1,  # StyleMethod.steps ends a run
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,  # ClipDataModule brings its own, exact one
        enable_checkpointing=False,  # callbacks of this project take their place
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def resolved(precision: Literal["auto", "32-true", "bf16-mixed"], accelerator: str) -> Literal["32-true", "bf16-mixed"]:
    """The precision to compute in."""
    if precision != "auto":
        return precision
    gpu = accelerator in ("auto", "gpu") and torch.cuda.is_available()
    return "bf16-mixed" if accelerator != "mps" and native_bf16("cuda" if gpu else "cpu") else "32-true"


def farewell(folder: Path) -> str:
    """Where things are, and the command that uses them."""
    sheets = sorted((folder / "samples").glob("*.png"))
    command = [python(), "-m", "fit.stylize", "IN.mp4", "OUT.mp4", "--checkpoint", str(folder / "checkpoints" / "last.ckpt")]
    return "\n".join(
        [
            f"Run:          {folder} (config.yaml repeats it, metrics.csv has the losses)",
            f"Samples:      {f'{sheets[-1]} (and .mp4)' if sheets else 'none yet'}",
            f"Checkpoints:  {folder / 'checkpoints'}",
            "Repaint a video with it:",
            f"  {shlex.join(command)}",
        ]
    )


def python() -> str:
    """How to call this interpreter from here."""
    if shutil.which("python") == sys.executable:
        return "python"
    here = Path(sys.executable)
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)
