"""The trainer's own saving and loading."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from datamodules.batch import ClipBatch
from lightning_modules.checkpoint_file import CheckpointError, read_checkpoint
from lightning_modules.checkpoint_io import VerifiedCheckpoints
from lightning_modules.cyclegan import CycleGAN

Build = Callable[..., CycleGAN]
Train = Callable[..., Trainer]
Batches = Callable[..., list[ClipBatch]]


@pytest.fixture
def trainer(cyclegan: Build, batches: Batches, train: Train) -> Trainer:
    """After a batch."""
    return train(cyclegan(), batches(1), plugins=[VerifiedCheckpoints()])


def test_the_trainer_saves_with_a_digest_and_without_the_temporary_folder(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    trainer.save_checkpoint(tmp_path / "new" / "method.ckpt")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["method.ckpt", "method.ckpt.sha256"]
    assert read_checkpoint(tmp_path / "new" / "method.ckpt")["state_dict"]["_extra_state"]["generator_step"] == 1


def test_the_trainer_goes_on_from_what_it_saved(
    trainer: Trainer, cyclegan: Build, batches: Batches, tmp_path: Path, train: Train
) -> None:
    trainer.save_checkpoint(tmp_path / "method.ckpt")
    saved, again = trainer.lightning_module.state_dict(), cyclegan()
    assert not equal(again.state_dict(), saved)
    train(again, batches(1), plugins=[VerifiedCheckpoints()], ckpt_path=tmp_path / "method.ckpt")  # one pass: no batch is left
    assert again.generator_step == 1
    assert equal(again.state_dict(), saved)


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items() if isinstance(value, torch.Tensor))


@pytest.mark.parametrize("weights_only", [None, False, True])
def test_code_is_refused_even_where_the_caller_would_allow_it(weights_only: bool | None, tmp_path: Path) -> None:
    content = {"state_dict": {}, "hyper_parameters": {"_class_path": "x.Y"}, "function": print}
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(CheckpointError, match="damaged or foreign"):
        VerifiedCheckpoints().load_checkpoint(tmp_path / "bad.ckpt", weights_only=weights_only)


def test_tensors_go_where_they_are_wanted(trainer: Trainer, tmp_path: Path) -> None:
    trainer.save_checkpoint(tmp_path / "method.ckpt")
    name = "to_style.stem.weight"
    read = VerifiedCheckpoints().load_checkpoint(tmp_path / "method.ckpt", map_location="meta")
    assert read["state_dict"][name].device.type == "meta"
    assert VerifiedCheckpoints().load_checkpoint(tmp_path / "method.ckpt")["state_dict"][name].device.type == "cpu"


def test_a_checkpoint_goes_with_its_digest(trainer: Trainer, tmp_path: Path) -> None:
    trainer.save_checkpoint(tmp_path / "new" / "method.ckpt")
    trainer.strategy.remove_checkpoint(tmp_path / "new" / "method.ckpt")
    assert list((tmp_path / "new").iterdir()) == []
