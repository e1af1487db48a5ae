"""The real ``wandb sweep`` and ``wandb agent``: what they say arrives in every run and rank, and runs end as they should."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from fit.evaluation.runs import flat
from fit.metrics_file import RunLogger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # many processes, each of which imports torch

# What makes a run short, not different; the style is a folder beside it, since painting takes longer than all the rest.
SHORT = ["--model.steps=2", "--data.size=[32,32]", "--data.batch_size=1", "--data.workers=0", "--validation.every=1"]
SHORT += ["--validation.clips=1", "--samples.clips=1", "--card=0", "--model.image_critic.channels=8", "--data.style=style"]
SHORT += ["--trainer.log_every_n_steps=1"]

# Logs what it was given; a bad one does not end by itself.
FAKE = """
import json, os, sys, time
args, run = json.load(open(sys.argv[1])), os.environ["WANDB_RUN_ID"]
with open("given.txt", "a") as file:
    file.write(run + " " + str(args["x"]) + chr(10))
with open(run + ".txt", "w") as file:
    file.write(" ".join(str(args["x"] / step) for step in (1, 2, 3)))
if args["x"] > 5:
    time.sleep(300)
sys.exit(int(args["x"] == 3))
"""
# On every rank, what the run was built from.
WITNESS = """
import json
from lightning import Callback

class Witness(Callback):
    def on_train_start(self, trainer, pl_module):
        depth = len(pl_module.to_style.deep)
        seen = [pl_module.rates[0], list(pl_module.betas), depth, pl_module.style_clip_critic is None, pl_module.seed]
        with open(f"rank-{trainer.global_rank}.json", "w") as file:
            json.dump(seen, file)
"""


def with_style(folder: Path) -> Path:
    """The folder, with the pictures of a style in it."""
    (folder / "style").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "style" / f"{number}.png")
    return folder


def resolved(folder: Path) -> dict[str, Any]:
    """The configuration of a run, flat."""
    return flat(yaml.safe_load((folder / "config.yaml").read_text()))


def shortened(path: Path, **changed: Any) -> dict[str, Any]:
    """A sweep file with a shorter run of each trial."""
    config = yaml.safe_load(path.read_text())
    return config | {"command": [*config["command"], *SHORT]} | changed


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory, sweep_files: Path, run_sweep: Callable[..., Any]) -> Any:
    """sweeps/smoke.yaml under the agent."""
    return run_sweep(with_style(tmp_path_factory.mktemp("agent")), shortened(sweep_files / "smoke.yaml"))


def test_the_smoke_sweep_runs_to_its_end(smoke: Any) -> None:
    assert smoke.status == 0, smoke.said
    assert smoke.server.seen == {"Viewer", "UpsertSweep", "SweepWithRuns", "CreateAgent", "Heartbeat"}
    assert len(smoke.server.runs) == 4
    assert sorted(smoke.runs()) == sorted(smoke.server.runs), smoke.said


def test_each_trials_configuration_is_its_suggestion(smoke: Any) -> None:
    for name, folder in smoke.runs().items():
        found, wanted = resolved(folder), smoke.server.runs[name]
        assert {key: found[key] for key in wanted} == wanted
    assert {"model.adversarial": "hinge", "model.temporal_weight": 150.0} in smoke.server.runs.values(), "the defaults"


def test_each_trial_is_followed_by_wandb(smoke: Any) -> None:
    for name, folder in smoke.runs().items():
        (log,) = (smoke.folder / "runs" / "wandb").glob(f"offline-run-*-{name}/run-{name}.wandb")
        data = log.read_bytes()
        for part in ("val/score", "val/style", "throughput/", "samples/sheet", "samples/video", "sweep1", folder.name):
            assert part.encode() in data, f"{part} has not arrived"
        assert len(scores_of(folder)) == 2


def scores_of(folder: Path) -> list[float]:
    return [float(row["val/score"]) for row in RunLogger(folder).rows() if row.get("val/score")]


@pytest.mark.prove
def test_offline_runs_the_same_trials_with_the_same_configurations(smoke: Any, sweep_files: Path, tmp_path: Path) -> None:
    (with_style(tmp_path) / "smoke.yaml").write_text(yaml.safe_dump(shortened(sweep_files / "smoke.yaml")))
    environment = os.environ | {"PYTHONPATH": str(sweep_files.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "fit.sweep", "smoke.yaml", "--dir", "out"]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    varied = ("model.adversarial", "model.temporal_weight")

    def by_trial(folders: Iterable[Path]) -> dict[Any, dict[str, Any]]:
        configs = [resolved(folder) for folder in folders]
        return {tuple(config[key] for key in varied): config for config in configs}

    mine = by_trial(path.parent for path in (tmp_path / "out").rglob("config.yaml"))
    assert len(mine) == 4
    assert mine == by_trial(smoke.runs().values())


@pytest.mark.prove
def test_a_bayes_file_runs_likewise(tmp_path: Path, sweep_files: Path, run_sweep: Callable[..., Any]) -> None:
    session = run_sweep(with_style(tmp_path), shortened(sweep_files / "temporal.yaml"), most=2)
    assert session.status == 0, session.said
    assert len(session.runs()) == len(session.server.runs) == 2, session.said
    assert len({tuple(values.values()) for values in session.server.runs.values()}) == 2
    for name, folder in session.runs().items():
        found, wanted = resolved(folder), session.server.runs[name]
        assert {key: found[key] for key in wanted} == wanted


def test_values_of_every_kind_reach_every_rank(tmp_path: Path, run_sweep: Callable[..., Any]) -> None:
    values = {
        "model.lr": 1e-05,
        "model.betas": [0.0, 0.9],
        "model.temporal_critic": None,
        "model.generator.depth": 1,
        "model.image_critic": {"class_path": "PatchGAN", "init_args": {"channels": 4, "layers": 1, "norm": "none"}},
        "trainer.deterministic": True,
        "data.flip": 0,
        "seed_everything": 7,
    }
    (tmp_path / "witness.py").write_text(WITNESS)
    ranks = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.callbacks=[{class_path: witness.Witness}]"]
    command = ["${env}", "PYTHONPATH=" + os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2])])]
    command += ["${interpreter}", "-m", "fit", *SHORT, *ranks, "--config", "${args_json_file}"]
    config = {"method": "grid", "metric": {"name": "val/score", "goal": "minimize"}, "program": "fit", "command": command}
    config["parameters"] = {name: {"value": value} for name, value in values.items()}
    session = run_sweep(with_style(tmp_path), config, most=1)
    (folder,) = session.runs().values()
    found = yaml.safe_load((folder / "config.yaml").read_text())
    model = found["model"]["init_args"]
    assert (model["lr"], model["betas"], model["temporal_critic"]) == (1e-05, [0.0, 0.9], None)
    assert model["generator"]["init_args"]["depth"] == 1
    assert model["image_critic"]["init_args"] == values["model.image_critic"]["init_args"]  # type: ignore[index]
    assert (found["trainer"]["deterministic"], found["data"]["init_args"]["flip"], found["seed_everything"]) == (True, 0, 7)
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2))
    assert first == second == [1e-05, [0.0, 0.9], 1, True, 7]
    assert len(list((tmp_path / "runs" / "wandb").glob("offline-run-*"))) == 1, "one trial is one run, however many ranks"
    assert len(list((tmp_path / "runs").glob("*/config.yaml"))) == 1
    assert scores_of(folder), session.said


def test_hyperband_stops_a_bad_run_whose_place_goes_to_the_next_and_a_failed_one_ends_nothing(
    tmp_path: Path, run_sweep: Callable[..., Any]
) -> None:
    (tmp_path / "fake.py").write_text(FAKE)

    def history(run: str) -> list[float]:
        path = tmp_path / f"{run}.txt"
        return [float(value) for value in path.read_text().split()] if path.exists() else []

    command = ["${env}", "${interpreter}", "-I", "fake.py", "${args_json_file}"]
    config = {"method": "grid", "metric": {"name": "loss", "goal": "minimize"}, "program": "fake.py", "command": command}
    config |= {"parameters": {"x": {"values": [1.0, 9.0, 3.0, 0.9]}}, "early_terminate": {"type": "hyperband", "min_iter": 1}}
    session = run_sweep(tmp_path, config, history)
    assert session.status == 0, session.said
    assert (tmp_path / "given.txt").read_text().split("\n")[:-1] == ["run0 1.0", "run1 9.0", "run2 3.0", "run3 0.9"]
    assert session.server.stopped == ["run1"]


def test_a_trial_that_is_stopped_says_so_and_goes_on_in_the_same_run_when_it_is_started_again(
    tmp_path: Path, library: Any
) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "WANDB_"))}
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    environment |= {"WANDB_SWEEP_ID": "sweep1", "WANDB_RUN_ID": "run0", "WANDB_SILENT": "true"}
    command = [sys.executable, "-m", "fit", *SHORT, "--model.steps=12"]
    first = subprocess.Popen(command, cwd=with_style(tmp_path), env=environment)
    while first.poll() is None and len([score for run in (tmp_path / "runs").glob("*-*") for score in tried(run)]) < 2:
        time.sleep(0.1)
    first.send_signal(signal.SIGTERM)
    assert first.wait() == 128 + signal.SIGTERM
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    (config,) = (tmp_path / "runs").glob("*/config.yaml")
    steps = [float(row["step"]) for row in RunLogger(config.parent).rows() if row.get("val/score")]
    assert steps == [float(step) for step in range(1, 13)], "every validation is there, and once"
    logs = list((tmp_path / "runs" / "wandb").glob("offline-run-*/run-run0.wandb"))
    assert len(logs) == 2, "two pieces of one run"


def tried(folder: Path) -> list[float]:
    """The scores of a run so far."""
    return scores_of(folder) if (folder / "metrics.csv").exists() else []
