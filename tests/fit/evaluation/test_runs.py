import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fit.evaluation.runs import curves, differences, flat, from_folder, from_wandb, run_folders

CONFIG = """\
name: night
model:
  class_path: lightning_modules.cyclegan.CycleGAN
  init_args:
    lr: 0.001
    generator:
      class_path: RealtimeGenerator
      init_args: {width: 24}
data: {class_path: MovingScenes, init_args: {size: [32, 32]}}
"""
METRICS = "step,train/cycle,val/style\n1,0.5,\n2,0.25,nan\n2,,0.9\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "runs" / "20300101-000000-night"
    (made / "checkpoints").mkdir(parents=True)
    (made / "config.yaml").write_text(CONFIG)
    (made / "metrics.csv").write_text(METRICS)
    return made


def test_reads_a_folder(folder: Path) -> None:
    run = from_folder(folder)
    assert (run.name, run.folder) == (folder.name, folder)
    assert run.options["model.lr"] == 0.001
    assert run.options["model"] == "lightning_modules.cyclegan.CycleGAN"
    assert run.options["model.generator.width"] == 24
    assert run.curves == {"train/cycle": [(1, 0.5), (2, 0.25)], "val/style": [(2, 0.9)]}


def test_a_run_without_metrics_has_no_curves(folder: Path) -> None:
    (folder / "metrics.csv").unlink()
    assert from_folder(folder).curves == {}


def test_refuses_another_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected the folder of a run, with config\.yaml, got none"):
        from_folder(tmp_path)


def test_finds_runs_with_checkpoints(folder: Path) -> None:
    assert run_folders(folder.parent) == []
    (folder / "checkpoints" / "step-000001.ckpt").touch()
    assert run_folders(folder.parent) == [folder]


def test_tells_in_what_runs_differ(folder: Path) -> None:
    one = from_folder(folder)
    (folder / "config.yaml").write_text(CONFIG.replace("0.001", "0.002").replace("name: night", "other: 1"))
    assert differences([one, from_folder(folder)]) == {"model.lr": [0.001, 0.002], "name": ["night", None], "other": [None, 1]}
    assert differences([one, one]) == {}


def test_rows_without_a_step_are_left_out() -> None:
    assert curves(
        [{"loss": 1.0}, {"step": None, "loss": 2.0}, {"step": 3, "loss": float("inf")}, {"step": 4, "loss": "5"}]
    ) == {"loss": [(4, 5.0)]}


def test_reads_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    history = [{"trainer/global_step": 2.0, "val/style": 0.5, "_timestamp": "now"}]
    run = SimpleNamespace(name="a", config={"model": {"class_path": "X", "init_args": {"lr": 1}}}, scan_history=lambda: history)
    api = SimpleNamespace(runs=lambda path, filters: asked.append((path, filters)) or [run])
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(Api=lambda: api))
    (read,) = from_wandb("me/style", {"sweep": "abc"})
    assert asked == [("me/style", {"sweep": "abc"})]
    assert (read.name, read.options, read.curves) == ("a", {"model": "X", "model.lr": 1}, {"val/style": [(2, 0.5)]})


def test_nested_classes_lose_only_their_wrapping() -> None:
    assert flat({"a": {"class_path": "C", "init_args": {"b": {"c": 1}, "d": [2]}}}) == {"a": "C", "a.b.c": 1, "a.d": [2]}
