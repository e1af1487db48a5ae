"""Checkpoints counted in generator steps, never half-written."""

import math
from pathlib import Path
from typing import Any, Literal, cast

from lightning import Callback, LightningModule, Trainer

from lightning_modules.base import StyleMethod
from lightning_modules.callbacks.stops import Stopped
from lightning_modules.checkpoint_folder import point, prune, step_path, tidy


class Checkpoints(Callback):
    """Writes ``checkpoints/step-000500.ckpt`` every so often, at the end and when stopped; ``last.ckpt`` is always the newest.

    Args:
        every: generator steps between two checkpoints, >= 1.
        keep: how many numbered checkpoints stay, the newest ones, >= 1; the best stays too.
        best: a logged metric, such as train/cycle; ``best.ckpt`` is the checkpoint at which its last value was best.
        mode: whether the smallest or the largest value is best.
    """

    def __init__(self, every: int = 500, keep: int = 3, best: str | None = None, mode: Literal["min", "max"] = "min") -> None:
        if every < 1 or keep < 1:
            raise ValueError(f"checkpoints: expected every >= 1 and keep >= 1, got every {every} and keep {keep}")
        if mode not in ("min", "max"):
            raise ValueError(f"checkpoints: expected mode min or max, got {mode}")
        self.every, self.keep, self.best, self.mode = every, keep, best, mode
        self.saved: int | None = None  # before training starts, when a method may be restored only in part
        self.best_step: int | None = None
        self.best_value: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What a run starts from need not be saved again: nothing, or the checkpoint it resumes."""
        self.saved = cast(StyleMethod, pl_module).generator_step
        folder = folder_of(trainer)
        if trainer.is_global_zero:
            tidy(folder)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The step before this batch is counted by now."""
        step = cast(StyleMethod, pl_module).generator_step
        if step % self.every == 0 and step != self.saved:
            self.save(trainer, step)
            self.refuse_unknown_metric(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Whatever was not saved yet."""
        self.save(trainer, cast(StyleMethod, pl_module).generator_step)
        self.refuse_unknown_metric(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A person who stops a run wants what it has learnt; after an error the weights may be at fault."""
        # Ctrl-C without Stops: in the middle of a step, and of one rank alone, which could not save with the others.
        if isinstance(exception, Stopped) or (isinstance(exception, KeyboardInterrupt) and trainer.world_size == 1):
            self.save(trainer, cast(StyleMethod, pl_module).generator_step)

    def save(self, trainer: Trainer, step: int) -> None:
        """Save a step once; step 0 has learnt nothing. All ranks must call this together, the first alone writes.

        Raises:
            OSError: the disk is full, or something else is wrong with it. The checkpoints before stay as they are.
        """
        if self.saved in (None, step):
            return
        self.compare(trainer, step)
        folder = folder_of(trainer)
        path = step_path(folder, step)
        trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            point(folder / "last.ckpt", path)
            self.point_to_best(folder)
            prune(folder, step, self.keep, self.best_step)
        self.saved = step

    def point_to_best(self, folder: Path) -> None:
        """Keep ``best.ckpt`` right, also after a kill between a save and this, or a course that was given up."""
        if self.best_step is None:
            return
        best, link = step_path(folder, self.best_step), folder / "best.ckpt"
        if best.exists() and link.resolve() != best.resolve():
            point(link, best)

    def compare(self, trainer: Trainer, step: int) -> None:
        """Take note of the best step, before it is saved: the checkpoint must know."""
        value = float(trainer.callback_metrics.get(self.best or "", math.nan))
        sign = 1 if self.mode == "min" else -1
        if math.isfinite(value) and (self.best_value is None or sign * value < sign * self.best_value):
            self.best_step, self.best_value = step, value

    def refuse_unknown_metric(self, trainer: Trainer) -> None:
        """A metric that was not logged by the first checkpoint, which is saved by now, is taken for a mistake."""
        logged = trainer.callback_metrics
        if self.best is not None and self.best_value is None and self.best not in logged:
            raise ValueError(
                f"checkpoints.best: expected a metric that is logged, got {self.best}; "
                f"use one of {', '.join(sorted(logged)) or 'none'}"
            )

    def state_dict(self) -> dict[str, Any]:
        """The best so far, part of every checkpoint."""
        return {"best": self.best, "mode": self.mode, "best_step": self.best_step, "best_value": self.best_value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The reverse; the best of another metric is none."""
        if (state_dict["best"], state_dict["mode"]) == (self.best, self.mode):
            self.best_step, self.best_value = state_dict["best_step"], state_dict["best_value"]


def folder_of(trainer: Trainer) -> Path:
    """Where a run keeps its checkpoints. All ranks must ask together."""
    return Path(trainer.log_dir or ".") / "checkpoints"
