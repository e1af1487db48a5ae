from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from lightning_modules.callbacks.checkpoint import Checkpoints, numbered


def step_of(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["state_dict"]["_extra_state"]["generator_step"])


def checkpoints(trainer: Trainer) -> Path:
    return Path(str(trainer.log_dir)) / "checkpoints"


@pytest.mark.parametrize(("keep", "left"), [(1, [7]), (2, [6, 7]), (9, [3, 6, 7])])
def test_the_newest_are_kept_and_hold_the_step_they_are_named_after(train: Any, keep: int, left: list[int]) -> None:
    folder = checkpoints(train(Checkpoints(every=3, keep=keep), steps=7))
    assert [path.name for path in numbered(folder)] == [f"step-{step:06d}.ckpt" for step in left]
    assert [step_of(path) for path in numbered(folder)] == left
    assert (folder / "last.ckpt").read_bytes() == numbered(folder)[-1].read_bytes()
    assert {path.suffix for path in folder.iterdir()} == {".ckpt"}


def test_critic_batches_do_not_save_a_step_again(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    original = Trainer.save_checkpoint

    def counting(self: Trainer, *args: Any, **kwargs: Any) -> None:
        saved.append(self.lightning_module.generator_step)
        original(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "save_checkpoint", counting)
    train(Checkpoints(every=1), steps=3, n_critic=4)
    assert saved == [1, 2, 3]


def test_a_failed_write_leaves_the_checkpoint_before(train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Trainer.save_checkpoint

    def disk_full(self: Trainer, path: Path, *args: Any, **kwargs: Any) -> None:
        if self.lightning_module.generator_step < 4:
            return original(self, path, *args, **kwargs)
        path.write_bytes(b"half a checkpoint")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Trainer, "save_checkpoint", disk_full)
    with pytest.raises(OSError, match="No space left"):
        train(Checkpoints(every=2), steps=6)
    folder = tmp_path / "run" / "checkpoints"
    assert [path.name for path in numbered(folder)] == ["step-000002.ckpt"]
    assert step_of(folder / "last.ckpt") == 2


def test_ctrl_c_keeps_what_was_learnt(train: Any, tmp_path: Path) -> None:
    class Impatient(Callback):
        def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
            if batch_idx == 2:
                raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        train(Checkpoints(), Impatient(), steps=9)
    assert step_of(tmp_path / "run" / "checkpoints" / "last.ckpt") == 2


@pytest.mark.parametrize("arguments", [{"every": 0}, {"keep": 0}])
def test_refuses_what_saves_nothing(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="checkpoints: expected every >= 1 and keep >= 1"):
        Checkpoints(**arguments)
