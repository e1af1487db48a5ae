import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fit.run
from fit.metrics_file import RunLogger
from fit.run import SaveConfig, farewell, python, seconds, trainer
from lightning_modules.checkpoint_io import VerifiedCheckpoints


def test_the_method_alone_ends_a_run_and_samples_its_data() -> None:
    built = trainer(accelerator="cpu")
    assert built.max_epochs == -1
    assert built.max_steps == -1
    assert built.num_sanity_val_steps == 0
    assert not built._accelerator_connector.use_distributed_sampler


@pytest.mark.parametrize(("time", "expected"), [("00:00:00:30", 30), ("01:02:03:04", 93784), ("0:12:0:0", 43200)])
def test_times_are_days_hours_minutes_and_seconds(time: str, expected: int) -> None:
    assert seconds(time) == expected


@pytest.mark.parametrize("time", ["30", "00:30", "1:-2:3:4", "a:b:c:d"])
def test_other_times_are_refused(time: str) -> None:
    with pytest.raises(ValueError, match="max_time: expected DD:HH:MM:SS"):
        seconds(time)


def test_checkpoints_are_written_whole_and_verified() -> None:
    assert isinstance(trainer(accelerator="cpu").strategy.checkpoint_io, VerifiedCheckpoints)


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
    said = farewell(folder, 1000, 1000)
    assert "step-001000.png" in said
    assert f"-m fit.stylize IN.mp4 OUT.mp4 --checkpoint '{folder}/checkpoints/last.ckpt'" in said


def test_the_farewell_of_a_run_that_is_not_complete_names_the_command_that_goes_on(tmp_path: Path) -> None:
    said = farewell(tmp_path / "with space", 17, 40)
    assert "step 17 of 40" in said
    assert said.splitlines()[-1].endswith(f"-m fit --resume '{tmp_path}/with space'")


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
    parser = SimpleNamespace(save=lambda config, path, **_: Path(path).write_text("seed: 1"))
    saver = SaveConfig(parser=parser, config=None)  # type: ignore[arg-type]
    saver.save_config(OtherRank(tmp_path), None, "fit")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
