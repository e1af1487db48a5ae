import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from datamodules.errors import DataError
from fit.sweeping import store as module
from fit.sweeping.file import SweepFile
from fit.sweeping.store import Store
from fit.sweeping.trial import Trial

FILE = SweepFile(Path("a.yaml"), "method: grid  # a remark", {"method": "grid"}, 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "out").mkdir()
    return Store(tmp_path / "out")


def test_trials_come_back_as_they_were_saved(store: Store) -> None:
    made = [
        Trial(2, {"a": None, "b": [1e-05, True], "c": {"d": "x y"}}, ["run", "it"], "failed", reason="status 1"),
        Trial(10, {}, history=[0.1, 1 / 3], values={"loss": 1 / 3}, step=3, steps=9, began=1.5, ended=2.5),
        Trial(1, {"x": 1}),
    ]
    for trial in made:
        store.save(trial)
    assert store.trials() == sorted(made, key=lambda trial: trial.number)


def test_a_saved_trial_is_replaced_whole(store: Store) -> None:
    """Read at any moment while it is saved again and again, it is one of those saved; so it is after a kill."""

    def write() -> None:
        for number in range(10**9):
            store.save(Trial(1, {"x": number, "long": "y" * 10_000}))

    writer = multiprocessing.get_context("fork").Process(target=write)
    writer.start()
    try:
        until, seen = time.monotonic() + 1.0, set[int]()
        while time.monotonic() < until:
            seen |= {len(trial.args["long"]) for trial in store.trials()}
    finally:
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
    assert seen == {10_000}
    assert len(store.trials()) == 1


def test_what_was_asked_is_kept_and_known_again(store: Store) -> None:
    store.settle(FILE, 3)
    assert (store.folder / "sweep.yaml").read_text() == FILE.text
    store.settle(SweepFile(Path("moved.yaml"), "method: grid", {"method": "grid"}, 1), 3)
    with pytest.raises(DataError, match="expected the sweep that was begun here"):
        store.settle(SweepFile(Path("a.yaml"), "method: random", {"method": "random"}, 1), 3)
    with pytest.raises(DataError, match="expected a sweep of --seed 3"):
        store.settle(FILE, 4)


def test_a_folder_left_before_its_sweep_began_is_used(store: Store) -> None:
    for name in ("lock", "sweep.yaml", "sweep.json.part"):
        (store.folder / name).touch()
    store.settle(FILE, 0)
    assert json.loads((store.folder / "sweep.json").read_text())["seed"] == 0


def test_clearing_leaves_the_suggestion_alone(store: Store) -> None:
    trial = Trial(1, {"x": 1})
    store.save(trial)
    (store.of(trial) / "runs" / "a").mkdir(parents=True)
    for name in ("log.txt", "exit", "args.json"):
        (store.of(trial) / name).write_text("0")
    assert store.status(trial) == 0
    store.clear(trial)
    assert [path.name for path in store.of(trial).iterdir()] == ["trial.json"]
    assert store.status(trial) is None
    assert store.last_lines(trial) == []


def test_the_last_lines_of_a_long_log(store: Store) -> None:
    trial = Trial(1, {})
    store.save(trial)
    (store.of(trial) / "log.txt").write_bytes(b"x" * 100_000 + b"\nbar 1%\rbar 2%\n\n \xff\nend\n")
    assert store.last_lines(trial, 3) == ["bar 2%", " \N{REPLACEMENT CHARACTER}", "end"]


def test_a_lock_outlasts_its_runner_until_what_it_started_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    context = multiprocessing.get_context("fork")
    ready = context.Event()

    def runner() -> None:
        with store.locked():
            if os.fork() == 0:  # holds the lock's descriptor, as a trial does
                time.sleep(1.5)
                os._exit(0)
            ready.set()
            os._exit(0)

    process = context.Process(target=runner)
    process.start()
    ready.wait(10)
    process.join()
    with pytest.raises(DataError, match="expected a sweep that nobody runs, got one at work"), store.locked():
        """Not to be had yet."""
    monkeypatch.setattr(module, "PATIENCE", 10.0)
    with store.locked():
        """Now it is."""
    with store.locked():
        """And again."""
