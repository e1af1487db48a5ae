import csv
import sys
from datetime import datetime
from pathlib import Path

import pytest

import fit.run
from fit.run import RunLogger, SaveConfig, farewell, new_folder, python, remove, trainer


def test_runs_of_one_second_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Noon":
            return cls(2030, 1, 2, 12)

    monkeypatch.setattr(fit.run, "datetime", Noon)
    folders = [new_folder("x") for _ in range(3)]
    assert [folder.name for folder in folders] == ["20300102-120000-x", "20300102-120000-x-2", "20300102-120000-x-3"]
    assert all(folder.is_dir() for folder in folders)


def test_a_run_taken_back_leaves_nothing_but_other_runs() -> None:
    first, second = new_folder("a"), new_folder("b")
    (first / "samples").mkdir()
    remove(first)
    assert list(Path("runs").iterdir()) == [second]
    remove(second)
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["a/b", "", "a b"])
def test_names_that_are_no_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name: expected letters"):
        new_folder(name)
    assert not Path("runs").exists()


def test_metrics_lie_in_the_run_folder_alone(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path)
    logger.log_hyperparams({"lr": 1})
    logger.log_metrics({"train/cycle": 0.5}, step=3)
    logger.save()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    with (tmp_path / "metrics.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"step": "3", "train/cycle": "0.5"}]


def test_the_method_alone_ends_a_run_and_samples_its_data() -> None:
    built = trainer(accelerator="cpu")
    assert built.max_epochs == -1
    assert built.max_steps == -1
    assert built.num_sanity_val_steps == 0
    assert not built._accelerator_connector.use_distributed_sampler


def test_float32_may_be_rounded_unless_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bool] = []
    monkeypatch.setattr(fit.run, "allow_tf32", said.append)
    trainer(accelerator="cpu")
    trainer(accelerator="cpu", tf32=False)
    assert said == [True, False]


def test_the_farewell_names_the_newest_sample_and_a_command_a_shell_takes(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    (folder / "samples").mkdir(parents=True)
    for step in (500, 1000):
        (folder / "samples" / f"step-{step:06d}.png").touch()
    said = farewell(folder)
    assert "step-001000.png" in said
    assert f"-m fit.stylize IN.mp4 OUT.mp4 --checkpoint '{folder}/checkpoints/last.ckpt'" in said


def test_the_interpreter_is_named_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert python() == ".venv/bin/python"
    monkeypatch.setattr(sys, "executable", "/elsewhere/python")
    assert python() == "/elsewhere/python"
    monkeypatch.setattr("shutil.which", lambda name: "/elsewhere/python")
    assert python() == "python"


class OtherRank:
    """A trainer whose ``log_dir`` waits for all ranks."""

    def __init__(self, folder: Path) -> None:
        self.loggers = [RunLogger(folder)]

    @property
    def log_dir(self) -> str:
        raise AssertionError("asked by one rank alone, this hangs")


def test_saving_the_configuration_asks_no_other_rank(tmp_path: Path) -> None:
    saver = SaveConfig(parser=None, config=None)  # type: ignore[arg-type]
    saver.save_config(OtherRank(tmp_path), None, "fit")  # type: ignore[arg-type]
