import importlib
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fit.sweep import main
from fit.sweeping.store import Store
from fit.sweeping.trial import Trial

ROOT = Path(__file__).resolve().parents[2]
SweepFiles = Callable[..., Path]
STARTS, ENDS = Path("starts.txt"), Path("ends.txt")


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def trials(folder: str = "out") -> list[Trial]:
    return Store(Path(folder)).trials()


def states(folder: str = "out") -> dict[int, str]:
    return {trial.number: trial.state for trial in trials(folder)}


def forked(*args: str) -> Any:
    """The command in a process of its own, without the seconds that importing everything takes."""
    for name in ("params", "bayes_search", "grid_search", "hyperband_stopping"):
        importlib.import_module(f"sweeps.{name}")
    started = multiprocessing.get_context("fork").Process(target=lambda: os._exit(main(args)))
    started.start()
    return started


def wait_for(true: Callable[[], Any], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it has not come"
        time.sleep(0.02)


def test_a_grid_runs_once_and_the_best_is_named(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    file = sweep_file({"x": {"values": [3, -2.5, 1]}, "y": {"values": ["a b", None]}, "steps": {"value": 2}})
    assert main([str(file), "--dir=out"]) == 0
    expected = [{"steps": 2, "x": x, "y": y} for x in (3, -2.5, 1) for y in ("a b", None)]
    assert [trial.args for trial in trials()] == expected
    assert [start["args"] for start in lines(STARTS)] == expected
    for trial in trials():
        assert (trial.state, trial.history, trial.step) == ("finished", [trial.args["x"], trial.args["x"] / 2], 2)
        assert trial.values == {
            "loss": trial.args["x"] / 2,
            "val/style": trial.args["x"] / 2,
            "val/flicker_ratio": pytest.approx(1 / (1 + abs(trial.args["x"]))),
        }
    said = capsys.readouterr().out
    assert f"Best: trial 3 in out/trials/0003; it is repeated by\n  {sys.executable} -I" in said
    order = [line.split()[0] for line in said.partition("trial  ")[2].splitlines()[1:7]]
    assert order == ["3", "4", "5", "6", "1", "2"]


def test_the_same_command_again_starts_nothing(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    file = sweep_file({"x": {"values": [1, 2]}})
    assert main([str(file), "--dir=out"]) == 0
    before = [path.read_bytes() for path in sorted(Path("out").rglob("trial.json"))]
    assert main([str(file), "--dir=out"]) == 0
    assert len(lines(STARTS)) == 2
    assert [path.read_bytes() for path in sorted(Path("out").rglob("trial.json"))] == before


def test_a_count_is_of_all_trials_and_can_grow(sweep_file: SweepFiles) -> None:
    ranges = {"x": {"min": -3.0, "max": 3.0}, "steps": {"value": 1}}
    file = sweep_file(ranges, method="random")
    assert main([str(file), "--dir=out", "--count=2", "--seed=5"]) == 0
    assert main([str(file), "--dir=out", "--count=4", "--seed=5"]) == 0
    assert main([str(file), "--dir=at-once", "--count=4", "--seed=5", "--parallel=3"]) == 0
    assert [trial.args for trial in trials()] == [trial.args for trial in trials("at-once")]
    assert len(lines(STARTS)) == 8
    assert main([str(sweep_file(ranges, method="random", run_cap=3)), "--dir=capped"]) == 0
    assert len(trials("capped")) == 3


@pytest.mark.slow
def test_killed_ten_times_at_random_nothing_is_lost_or_repeated(sweep_file: SweepFiles) -> None:
    values = {"x": list(range(1, 17)), "y": ["a", "b"]}
    parameters = {name: {"values": each} for name, each in values.items()}
    file = sweep_file(parameters | {"steps": {"value": 2}, "sleep": {"value": 0.12}})
    draws, finished = random.Random(0), dict[int, str]()
    for _ in range(10):
        runner = forked(str(file), "--dir=out", "--parallel=2")
        goal = len(lines(ENDS)) + draws.randint(0, 1)  # by what has happened: machines differ in speed
        wait_for(lambda goal=goal: len(lines(ENDS)) >= goal)
        time.sleep(draws.uniform(0, 0.1))
        os.kill(runner.pid, signal.SIGKILL)
        runner.join()
        for trial in trials():
            text = (Path("out/trials") / trial.name / "trial.json").read_text()
            assert finished.get(trial.number, text) == text, "a finished trial stays as it is"
            if trial.state == "finished":
                finished[trial.number] = text
    assert 0 < len(finished) < 32, "some were interrupted"
    interrupted = len(lines(STARTS))
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    expected = {(x, y) for x in values["x"] for y in values["y"]}
    assert {(trial.args["x"], trial.args["y"]) for trial in trials()} == expected
    assert len(trials()) == 32
    for number, text in finished.items():
        assert (Path("out/trials") / f"{number:04d}" / "trial.json").read_text() == text
    again = {(start["args"]["x"], start["args"]["y"]) for start in lines(STARTS)[interrupted:]}
    done = {(trial.args["x"], trial.args["y"]) for trial in trials() if trial.number in finished}
    assert not again & done, "what had finished was started again"
    ends = [(end["x"], end["y"]) for end in lines(ENDS)]
    assert set(ends) == expected
    assert len(ends) <= 32 + 10 * 2, "a kill repeats at most the two that were running"


def test_the_programs_of_a_killed_runner_die_with_it(sweep_file: SweepFiles) -> None:
    runner = forked(str(sweep_file({"x": {"values": [1, 2]}, "sleep": {"value": 60}})), "--dir=out", "--parallel=2")
    wait_for(lambda: len(lines(STARTS)) == 2)
    os.kill(runner.pid, signal.SIGKILL)
    runner.join()
    wait_for(lambda: not any(Path(f"/proc/{start['pid']}").exists() for start in lines(STARTS)), 5)
    assert states() == {1: "running", 2: "running"}
    with Store(Path("out")).locked():
        """Nothing holds the folder any more."""


def test_two_runners_do_not_share_a_folder(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    file = sweep_file({"x": {"values": [1]}, "sleep": {"value": 60}})
    runner = forked(str(file), "--dir=out")
    try:
        wait_for(lambda: lines(STARTS))
        with pytest.raises(SystemExit, match="2"):
            main([str(file), "--dir=out"])
        assert "out: expected a sweep that nobody runs, got one at work" in capsys.readouterr().err
        assert len(lines(STARTS)) == 1
    finally:
        os.kill(runner.pid, signal.SIGKILL)
        runner.join()


def test_a_changed_file_another_seed_or_a_foreign_folder_is_refused(
    sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(sweep_file({"x": {"values": [1]}})), "--dir=out"]) == 0
    (foreign := Path("foreign")).mkdir()
    (foreign / "thesis.txt").touch()
    for values, args, said in (
        ([1, 2], ["--dir=out"], "expected the sweep that was begun here, kept in sweep.yaml"),
        ([1], ["--dir=out", "--seed=1"], "expected a sweep of --seed 0"),
        ([1], ["--dir=foreign"], "expected an empty folder, or a sweep to go on with, got thesis.txt"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main([str(sweep_file({"x": {"values": values}})), *args])
        assert said in capsys.readouterr().err
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    assert len(lines(STARTS)) == 1


def test_ctrl_c_ends_trials_in_good_order_and_they_run_again(sweep_file: SweepFiles, capfd: pytest.CaptureFixture[str]) -> None:
    file = sweep_file({"x": {"values": [1, 2, 3]}, "steps": {"value": 4}, "sleep": {"value": 0.3}})
    runner = forked(str(file), "--dir=out", "--count=2")
    wait_for(lambda: lines(ENDS) and len(lines(STARTS)) == 2)
    os.kill(runner.pid, signal.SIGINT)
    runner.join(20)
    assert runner.exitcode == 130
    said = capfd.readouterr().out
    assert "SIGINT: ending 1 running trials" in said
    assert "Not all trials have ended. Go on with:\n  " in said
    assert f"-m fit.sweep {file} --dir out --count=2" in said
    assert states() == {1: "finished", 2: "waiting"}
    assert main([str(file), "--dir=out", "--count=2"]) == 0
    assert [start["args"]["x"] for start in lines(STARTS)] == [1, 2, 2]
    assert states() == {1: "finished", 2: "finished"}
    assert len(trials()[1].history) == 4, "of the second attempt alone"


def test_a_sweep_without_an_end_needs_a_count(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(sweep_file({"x": {"min": 0.0, "max": 1.0}}, method="random"))])
    assert "--count: expected how many trials to run, as method random has no end; give --count 20" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_without_a_folder_one_is_made_among_the_runs(sweep_file: SweepFiles) -> None:
    assert main([str(sweep_file({"x": {"values": [1]}}))]) == 0
    (made,) = Path("runs").iterdir()
    assert made.name.endswith("-sweep-sweep")
    assert states(str(made)) == {1: "finished"}


def test_bayes_learns_from_what_was_logged(sweep_file: SweepFiles) -> None:
    file = sweep_file({"x": {"min": 0.0, "max": 9.0}, "steps": {"value": 1}}, method="bayes")
    assert main([str(file), "--dir=out", "--count=8"]) == 0
    assert min(trial.args["x"] for trial in trials()) < 0.5
    assert main([str(file), "--dir=again", "--count=4"]) == 0
    assert [trial.args for trial in trials()][:4] == [trial.args for trial in trials("again")]


def test_it_runs_in_a_thread_too(sweep_file: SweepFiles) -> None:
    """Where signals cannot be received."""
    file = sweep_file({"x": {"values": [1]}})
    thread = threading.Thread(target=lambda: main([str(file), "--dir=out"]))
    thread.start()
    thread.join(30)
    assert states() == {1: "finished"}


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_real_run_on_two_devices_gets_its_suggestion_and_stays_in_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    parameters = {
        "model.lr": {"values": [3e-05]},
        "model.steps": {"value": 2},
        "trainer.max_time": {"value": None},
        "data.size": {"value": [32, 32]},
        "data.frames": {"value": 3},
        "data.clips": {"value": 4},
        "data.workers": {"value": 0},
        "validation.every": {"value": 1},
        "validation.clips": {"value": 2},
        "samples.clips": {"value": 1},
        "card": {"value": 0},
        "trainer.devices": {"value": 2},
        "trainer.accelerator": {"value": "cpu"},
    }
    command = ["${env}", "PYTHONPATH=" + str(ROOT), "${interpreter}", "-m", "fit", "--config", "${args_json_file}"]
    config = {"method": "grid", "metric": {"name": "val/score"}, "command": command, "parameters": parameters}
    Path("real.yaml").write_text(json.dumps(config))
    assert main(["real.yaml", "--dir=out"]) == 0
    (trial,) = trials()
    (run,) = Path("out/trials/0001/runs").iterdir()
    assert not Path("runs").exists()
    resolved = yaml.safe_load((run / "config.yaml").read_text())
    assert resolved["model"]["init_args"]["lr"] == 3e-05
    assert resolved["trainer"]["max_time"] is None
    assert resolved["trainer"]["devices"] == 2
    assert len(trial.history) == 2
    assert trial.values.keys() == {"val/score", "val/style", "val/flicker_ratio"}
    assert (trial.step, trial.steps) == (2, 2)
    assert "Global batch: 4 clips (2 on each device" in (Path("out/trials/0001") / "log.txt").read_text()
