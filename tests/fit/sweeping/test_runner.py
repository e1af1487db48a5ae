import json
import time
from collections.abc import Callable
from dataclasses import replace
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


def trials() -> list[Trial]:
    return Store(Path("out")).trials()


def states() -> dict[int, str]:
    return {trial.number: trial.state for trial in trials()}


def test_hyperband_ends_a_bad_run_and_its_slot_goes_to_the_next(
    sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {"loss": {"values": [0.1, 90.0, 0.3, 0.2]}, "steps": {"value": 9}, "sleep": {"value": 0.15}}
    file = sweep_file(parameters, early_terminate={"type": "hyperband", "min_iter": 3})
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    good, bad, third, _ = trials()
    assert (good.state, bad.state) == ("finished", "stopped")
    assert 4 <= len(bad.history) < 9, "it had a fourth value, and not all"
    assert bad.values["loss"] == bad.history[-1]
    assert bad.ended is not None
    assert third.began is not None
    assert good.ended is not None
    assert bad.ended <= third.began < good.ended, "the slot was free then"
    assert 90.0 not in [end["loss"] for end in lines(ENDS)]
    assert "trial 2 is stopped by hyperband after" in capsys.readouterr().out


def test_a_run_that_has_made_its_last_step_is_not_stopped(sweep_file: SweepFiles) -> None:
    parameters = {"loss": {"values": [0.1, 90.0]}, "steps": {"value": 3}, "sleep": {"value": 0.3}}
    file = sweep_file(parameters, early_terminate={"type": "hyperband", "min_iter": 2})
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    assert states() == {1: "finished", 2: "finished"}, "the third value is the last"


def test_a_trial_that_does_not_heed_a_stop_is_killed(sweep_file: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "KILL_AFTER", 0.5)
    parameters = {"loss": {"values": [0.1, 90.0]}, "steps": {"value": 150}, "sleep": {"value": 0.02}, "deaf": {"value": True}}
    file = sweep_file(parameters, early_terminate={"type": "hyperband", "min_iter": 2})
    assert main([str(file), "--dir=out", "--parallel=2"]) == 0
    assert states() == {1: "finished", 2: "stopped"}
    assert 90.0 not in [end["loss"] for end in lines(ENDS)]


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


def test_a_failed_trial_whose_record_is_removed_is_tried_again(sweep_file: SweepFiles) -> None:
    file = sweep_file({"x": {"min": 0.0, "max": 1.0}, "exit": {"value": 1}}, method="random")
    main([str(file), "--dir=out", "--count=3"])
    before = [trial.args for trial in trials()]
    Path("out/trials/0002/trial.json").unlink()
    main([str(file), "--dir=out", "--count=3"])
    assert [trial.args for trial in trials()] == before
    assert len(lines(STARTS)) == 4


def test_a_sweep_in_which_all_fails_ends_early_and_says_so(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    file = sweep_file({"x": {"values": list(range(20))}, "exit": {"value": 1}})
    assert main([str(file), "--dir=out"]) == 1
    assert len(lines(STARTS)) == 5
    said = capsys.readouterr().out
    assert "All 5 trials failed. Find out why" in said
    assert "Go on with" not in said


def test_a_program_that_cannot_be_run_is_a_failed_trial(sweep_file: SweepFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sweep_file({"x": {"value": 1}}, command=["no-such-program", "${args}"])), "--dir=out"]) == 1
    assert "(status 127); its last lines:\n    error: no-such-program: No such file or directory" in capsys.readouterr().out


def test_a_trial_without_a_value_of_the_metric_has_failed(sweep_file: SweepFiles) -> None:
    file = sweep_file({"steps": {"values": [0, 1]}, "x": {"value": 2}})
    assert main([str(file), "--dir=out"]) == 0
    assert states() == {1: "failed", 2: "finished"}
    assert trials()[0].reason == "it has logged no finite value of loss"


@pytest.mark.parametrize(("goal", "values"), [("minimize", [8, 2, 7]), ("maximize", [1, 5, 0])])
def test_a_target_that_is_reached_ends_the_sweep(
    sweep_file: SweepFiles, goal: str, values: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    metric = {"name": "loss", "target": 3, "goal": goal}
    assert main([str(sweep_file({"loss": {"values": values}, "steps": {"value": 1}}, metric=metric)), "--dir=out"]) == 0
    assert [trial.args["loss"] for trial in trials()] == values[:2]
    assert capsys.readouterr().out.endswith("The target, loss 3, is reached.\n")


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
    spans = [(trial.began or 0.0, trial.ended or 0.0) for trial in trials()]
    together = [sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans]
    assert max(together) == 2


@pytest.mark.parametrize(
    ("state", "status", "after"),
    [
        ("running", "0", "finished"),  # it ended while nobody looked
        ("running", "1", "failed"),
        ("running", None, "waiting"),  # it was killed with its runner
        ("running", "143", "waiting"),  # it was asked to end, which nobody has noted
        ("running", "-15", "waiting"),
        ("stopping", "143", "stopped"),
        ("stopping", None, "stopped"),  # that it is among the worst was decided
    ],
)
def test_what_a_killed_runner_has_left_is_understood(
    sweep_file: SweepFiles, state: str, status: str | None, after: str
) -> None:
    file = sweep_file({"x": {"values": [1]}})
    assert main([str(file), "--dir=out"]) == 0
    store = Store(Path("out"))
    left = replace(trials()[0], state=state, history=[], values={}, ended=None)
    store.save(left)
    (store.of(left) / "exit").unlink()
    if status:
        (store.of(left) / "exit").write_text(status)
    assert main([str(file), "--dir=out"]) == (1 if after == "failed" else 0)
    assert len(lines(STARTS)) == (2 if after == "waiting" else 1)
    assert states() == {1: "finished" if after == "waiting" else after}
    assert len(trials()[0].history) == 3, "what it had logged is known"


def test_a_trial_that_dies_of_a_signal_has_failed(sweep_file: SweepFiles) -> None:
    command = ["/usr/bin/env", "sh", "-c", "kill -SEGV $$"]
    assert main([str(sweep_file({"x": {"value": 1}}, command=command)), "--dir=out"]) == 1
    assert trials()[0].reason == "killed by SIGSEGV"


def test_a_guard_that_is_killed_takes_its_trial_with_it(sweep_file: SweepFiles) -> None:
    """For its memory, say: what is left of the trial must not go on beside the next one."""
    command = ["/usr/bin/env", "sh", "-c", "echo $$ > pid; kill -9 $PPID; sleep 60"]
    begun = time.monotonic()
    assert main([str(sweep_file({"x": {"value": 1}}, command=command)), "--dir=out"]) == 1
    assert time.monotonic() - begun < 30
    assert trials()[0].reason == "killed by SIGKILL"
    process_file = Path("/proc") / Path("pid").read_text().strip() / "stat"
    until = time.monotonic() + 10
    while process_file.exists() and " Z " not in process_file.read_text():  # or one that has ended, and nobody has asked about
        assert time.monotonic() < until
        time.sleep(0.02)
