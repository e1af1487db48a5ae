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

from fit.sweep import main
from fit.sweeping import process
from fit.sweeping.store import Store
from fit.sweeping.trial import Trial

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


def test_killed_ten_times_at_random_nothing_is_lost_or_repeated(sweep_file: SweepFiles) -> None:
    values = {"x": list(range(1, 9)), "y": ["a", "b", "c"]}
    parameters = {name: {"values": each} for name, each in values.items()}
    file = sweep_file(parameters | {"steps": {"value": 2}, "sleep": {"value": 0.12}})
    draws, finished = random.Random(0), dict[int, str]()
    for _ in range(10):
        runner = forked(str(file), "--dir=out", "--parallel=2")
        time.sleep(draws.uniform(0.2, 1.2))
        os.kill(runner.pid, signal.SIGKILL)
        runner.join()
        for trial in trials():
            text = (Path("out/trials") / trial.name / "trial.json").read_text()
            assert finished.get(trial.number, text) == text, "a finished trial stays as it is"
            if trial.state == "finished":
                finished[trial.number] = text
    assert 0 < len(finished) < 24, "some were interrupted"
    interrupted = len(lines(STARTS))
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    expected = {(x, y) for x in values["x"] for y in values["y"]}
    assert {(trial.args["x"], trial.args["y"]) for trial in trials()} == expected
    assert len(trials()) == 24
    for number, text in finished.items():
        assert (Path("out/trials") / f"{number:04d}" / "trial.json").read_text() == text
    again = {(start["args"]["x"], start["args"]["y"]) for start in lines(STARTS)[interrupted:]}
    done = {(trial.args["x"], trial.args["y"]) for trial in trials() if trial.number in finished}
    assert not again & done, "what had finished was started again"
    ends = [(end["x"], end["y"]) for end in lines(ENDS)]
    assert set(ends) == expected
    assert len(ends) <= 24 + 10 * 2, "a kill repeats at most the two that were running"


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


def test_hyperband_ends_a_bad_run_and_its_slot_goes_to_the_next(
    sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two slots: the bad trial would hold one of them for a minute.
    parameters = {"loss": {"values": [0.1, 90.0, 0.3, 0.2]}, "steps": {"value": 9}, "sleep": {"value": 0.15}}
    file = sweep_file(parameters, early_terminate={"type": "hyperband", "min_iter": 3})
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    found = trials()
    bad = found[1]
    assert bad.state == "stopped"
    assert 4 <= len(bad.history) < 9, "it had a fourth value, and not all"
    assert bad.values["loss"] == bad.history[-1]
    assert found[0].state == "finished"
    assert found[2].began is not None and bad.ended is not None and bad.ended <= found[2].began, "the slot was free then"
    assert 90.0 not in [end["loss"] for end in lines(ENDS)]
    assert "trial 2 is stopped by hyperband after" in capsys.readouterr().out


def test_a_trial_that_does_not_heed_a_stop_is_killed(sweep_file: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "KILL_AFTER", 0.5)
    parameters = {"loss": {"values": [0.1, 90.0]}, "steps": {"value": 200}, "sleep": {"value": 0.02}, "deaf": {"value": True}}
    file = sweep_file(parameters, early_terminate={"type": "hyperband", "min_iter": 2})
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    assert states() == {1: "finished", 2: "stopped"}
    assert 90.0 not in [end["loss"] for end in lines(ENDS)]


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


def test_failed_trials_are_kept_with_their_last_lines(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    file = sweep_file({"exit": {"values": [3, 0]}})
    assert main([str(file), "--dir=out"]) == 0, "one has finished"
    said = capsys.readouterr().out
    assert "trial 1 failed after" in said
    assert "(status 3); its last lines:\n    hello\n    something is wrong\n" in said
    assert "trial 1 failed: status 3" in said
    assert states() == {1: "failed", 2: "finished"}
    assert main([str(file), "--dir=out"]) == 0
    assert len(lines(STARTS)) == 2, "a failed trial is not repeated"


def test_a_failed_trial_whose_folder_is_removed_is_tried_again(sweep_file: SweepFiles) -> None:
    file = sweep_file({"x": {"min": 0.0, "max": 1.0}, "exit": {"value": 1}}, method="random")
    main([str(file), "--dir=out", "--count=3"])
    before = [trial.args for trial in trials()]
    Path("out/trials/0002/trial.json").unlink()
    main([str(file), "--dir=out", "--count=3"])
    assert [trial.args for trial in trials()] == before
    assert len(lines(STARTS)) == 4


def test_a_sweep_in_which_all_fails_ends_early_and_says_so(sweep_file: SweepFiles) -> None:
    file = sweep_file({"x": {"values": list(range(20))}, "exit": {"value": 1}})
    assert main([str(file), "--dir=out"]) == 1
    assert len(lines(STARTS)) == 5


def test_a_trial_without_a_value_of_the_metric_has_failed(sweep_file: SweepFiles) -> None:
    file = sweep_file(
        {"x": {"values": [float("1e400"), 1]}, "steps": {"value": 2}}, metric={"name": "loss", "goal": "maximize"}
    )
    file.write_text(file.read_text().replace("Infinity", "1.0e+400"))
    nothing = sweep_file({"steps": {"values": [0, 1]}, "x": {"value": 2}})
    assert main([str(nothing), "--dir=out"]) == 0
    assert states() == {1: "failed", 2: "finished"}
    assert trials()[0].reason == "it has logged no finite value of loss"


def test_a_target_that_is_reached_ends_the_sweep(sweep_file: SweepFiles) -> None:
    file = sweep_file({"loss": {"values": [8, 2, 7, 6]}, "steps": {"value": 1}}, metric={"name": "loss", "target": 3})
    assert main([str(file), "--dir=out"]) == 0
    assert [trial.args["loss"] for trial in trials()] == [8, 2]


def test_slots_run_at_the_same_time_with_their_part_of_the_cores(
    sweep_file: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("fit.sweeping.slots.cores", lambda: 6)
    monkeypatch.setenv("WANDB_SWEEP_ID", "of an agent")
    file = sweep_file({"x": {"values": [1, 2, 3, 4]}, "sleep": {"value": 0.2}})
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    assert {start["env"]["OMP_NUM_THREADS"] for start in lines(STARTS)} == {"3"}
    assert not any("WANDB_SWEEP_ID" in start["env"] or "FIT_KEEP" in start["env"] for start in lines(STARTS))
    spans = [(trial.began or 0, trial.ended or 0) for trial in trials()]
    together = [sum(begun <= other < ended for begun, ended in spans) for other, _ in spans]
    assert max(together) == 2


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
    assert main([str(file), "--dir=again", "--count=8"]) == 0
    assert [trial.args for trial in trials()] == [trial.args for trial in trials("again")]


def test_it_runs_in_a_thread_too(sweep_file: SweepFiles) -> None:
    """Where signals cannot be received."""
    file = sweep_file({"x": {"values": [1]}})
    thread = threading.Thread(target=lambda: main([str(file), "--dir=out"]))
    thread.start()
    thread.join(30)
    assert states() == {1: "finished"}
