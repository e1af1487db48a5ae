"""Checkpoints counted in generator steps, never half-written."""

import os
import shutil
from pathlib import Path
from typing import Any, cast

from lightning import Callback, LightningModule, Trainer

from lightning_modules.base import StyleMethod


class Checkpoints(Callback):
    """Writes ``checkpoints/step-000500.ckpt`` every so often, at the end and on Ctrl-C; ``last.ckpt`` is always the newest.

    Args:
        every: generator steps between two checkpoints, >= 1.
        keep: how many numbered checkpoints stay, the newest ones, >= 1.
    """

    def __init__(self, every: int = 500, keep: int = 3) -> None:
        if every < 1 or keep < 1:
            raise ValueError(f"checkpoints: expected every >= 1 and keep >= 1, got every {every} and keep {keep}")
        self.every, self.keep = every, keep
        self.saved = 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The step before this batch is counted by now."""
        step = cast(StyleMethod, pl_module).generator_step
        if step % self.every == 0:
            self.save(trainer, step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Whatever was not saved yet."""
        self.save(trainer, cast(StyleMethod, pl_module).generator_step)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A person who stops a run wants what it has learnt; after an error the weights may be at fault."""
        if isinstance(exception, KeyboardInterrupt):
            self.save(trainer, cast(StyleMethod, pl_module).generator_step)

    def save(self, trainer: Trainer, step: int) -> None:
        """Save a step once; step 0 has learnt nothing. All ranks must call this together."""
        if step == self.saved:
            return
        self.saved = step
        folder = Path(trainer.log_dir or ".") / "checkpoints"
        # Renaming is atomic only within one file system: the temporary file lies beside its target.
        part = folder / "step.part"
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            settle(part, folder / f"step-{step:06d}.ckpt")
            settle(twin(folder / f"step-{step:06d}.ckpt"), folder / "last.ckpt")
            for old in numbered(folder)[: -self.keep]:
                old.unlink()


def settle(part: Path, target: Path) -> None:
    """Give a complete file its name, once its bytes are on the disk."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, target)


def twin(path: Path) -> Path:
    """The same bytes under a temporary name, without a copy where the file system can link."""
    part = path.with_name("last.part")
    part.unlink(missing_ok=True)
    try:
        os.link(path, part)
    except OSError:
        shutil.copyfile(path, part)
    return part


def numbered(folder: Path) -> list[Path]:
    """The numbered checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*.ckpt"), key=lambda path: int(path.stem.removeprefix("step-")))
