import csv
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import LearningRateMonitor

from fit.cli import StyleCLI, main

SMALL = [
    "--card=0",
    "--data.size=[32,32]",
    "--data.batch_size=1",
    "--data.workers=0",
    "--samples.clips=1",
    "--trainer.log_every_n_steps=1",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[StyleCLI, Path, str]:
    """One small run: its command line object, its folder, what it said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
        args = [*SMALL, "--model.steps=3", "--model.n_critic=2", "--samples.every=2", "--checkpoints.every=2", "--name=first"]
        cli = main([*args, "--seed=5"])
        return cli, Path.cwd() / str(cli.folder), "\n".join(said)


def test_a_run_leaves_what_a_person_wants(run: tuple[StyleCLI, Path, str]) -> None:
    _, folder, _ = run
    assert folder.name.endswith("-first")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "checkpoints/last.ckpt",
        "checkpoints/step-000002.ckpt",
        "checkpoints/step-000002.ckpt.sha256",
        "checkpoints/step-000003.ckpt",
        "checkpoints/step-000003.ckpt.sha256",
        "config.yaml",
        "metrics.csv",
        "run.json",
        "samples/step-000002.mp4",
        "samples/step-000002.png",
        "samples/step-000003.mp4",
        "samples/step-000003.png",
    ]
    assert list(folder.parent.iterdir()) == [folder]


def test_metrics_count_generator_steps(run: tuple[StyleCLI, Path, str]) -> None:
    with (run[1] / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3]  # two batches each
    assert all(float(row["train/cycle"]) > 0 and row["train/style_critic"] for row in rows)


def test_the_last_words_are_the_next_command(run: tuple[StyleCLI, Path, str]) -> None:
    cli, folder, said = run
    command = shlex.split(said.splitlines()[-1])
    assert command[1:6] == ["-m", "fit.stylize", "IN.mp4", "OUT.mp4", "--checkpoint"]
    assert folder.parents[1] / command[6] == folder / "checkpoints" / "last.ckpt"
    assert str(cli.folder) in said.splitlines()[-5]


def test_the_saved_configuration_says_the_same_again(
    run: tuple[StyleCLI, Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*args: str) -> str:
        with pytest.raises(SystemExit):
            main([*args, "--print_config"])
        return capsys.readouterr().out

    saved = run[1] / "config.yaml"
    once = printed("--config", str(saved))
    assert yaml.safe_load(once) == yaml.safe_load(saved.read_text())
    Path("once.yaml").write_text(once)
    assert printed("--config", "once.yaml") == once
    assert yaml.safe_load(once)["name"] == "first"


def test_one_seed_for_weights_and_data(run: tuple[StyleCLI, Path, str]) -> None:
    cli = run[0]
    assert cli.datamodule.seed == cli.model.seed == 5
    watched = "--trainer.callbacks+=lightning.pytorch.callbacks.LearningRateMonitor"  # a further callback changes nothing
    again = main([*SMALL, "--model.steps=3", "--model.n_critic=2", "--seed_everything=5", watched])
    assert any(isinstance(callback, LearningRateMonitor) for callback in again.trainer.callbacks)
    state, repeated = cli.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(state[name], repeated[name]) for name in state if isinstance(state[name], torch.Tensor))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--model.lr=-1", "--model.n_critic=0"], "n_critic must be >= 1, got 0; lr and critic_lr must be > 0 and finite"),
        (["--data.frames=0", "--data.flip=2"], "frames must be >= 1, got 0; flip must be a probability, got 2"),
        (["--data.size=[30,30]"], "multiples of"),
        (["--data=VideoFolder", "--data.root=empty", "--data.style=empty"], "empty"),
        (["--name=a/b"], "name: expected letters"),
        (["--model.cycle_weight=.nan"], "cycle_weight must be >= 0 and finite, got nan"),
        (["--samples.every=0"], "samples: expected every"),
        (["--alarms.every=0"], "alarms: expected every >= 1"),
        (["--trainer.devices=0"], "devices"),
        (["--model.init_from=nowhere.ckpt"], "nowhere.ckpt"),
    ],
)
def test_a_refused_run_says_one_line_and_leaves_nothing(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    with pytest.raises(SystemExit) as left:
        main([*SMALL, *args])
    (line,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 2
    assert line.startswith("error: ")
    assert said in line
    assert [path.name for path in Path.cwd().iterdir()] == ["empty"]


def test_mistakes_of_method_data_and_callbacks_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--model.steps=0", "--data.frames=0", "--samples.every=0", "--checkpoints.keep=0"])
    (line,) = capsys.readouterr().err.splitlines()
    for said in ("steps must be", "frames must be", "samples: expected", "checkpoints: expected"):
        assert said in line


def test_a_run_that_diverges_says_why_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("lightning_modules.adversarial.warped", lambda painted, *_: painted.mean() * float("nan"))
    with pytest.raises(SystemExit) as left:
        main([*SMALL, "--alarms.max_skipped=2"])
    warning, line = (line for line in capsys.readouterr().err.splitlines() if line.startswith(("warning: ", "error: ")))
    assert left.value.code == 2
    assert warning.startswith("warning: step 1: an update was left out")
    assert line.startswith("error: step 2: 2 updates of the generators in a row were left out")
    assert "temporal (gradients of to_style" in line


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("lightning_modules.cyclegan.CycleGAN.training_step", broken)
    with pytest.raises(ZeroDivisionError):
        main(SMALL)
    assert not Path("runs").exists()


def test_python_m_fit_is_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["fit", "--model.lrr", "1"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("fit", run_name="__main__")
    assert left.value.code == 2
    assert "did you mean --model.lr?" in capsys.readouterr().err
