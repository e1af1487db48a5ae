import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fit.evaluation.card import Card, Estimate, Row
from fit.metrics_file import RunLogger
from fit.tracking import attached, close, figures, hand_over

wandb = pytest.importorskip("wandb", reason="the extra wandb is not installed")


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def card() -> Card:
    facts = {"parameters": 7, "frames/s at 720x1280": 30.5, "p95 ms at 720x1280": "40 (slowest of 3)", "measured on": "a CPU"}
    control = Row("blur", "control", {"style": Estimate(9.0)})
    network = Row(
        "mine", "network", {"style": Estimate(0.25), "added_flicker": Estimate(None), "odd": Estimate(1.0)}, facts=facts
    )
    return Card("t", {}, [], [control, network], [])


def test_a_run_that_no_agent_has_started_keeps_its_loggers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [RunLogger(tmp_path)]
    assert attached(mine) == mine
    monkeypatch.setenv("WANDB_RUN_ID", "r")  # which people set themselves
    assert attached(mine) == mine


def test_one_that_an_agent_has_started_is_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "r")
    mine, found = attached([RunLogger(tmp_path)])
    assert attached([mine, found]) == [mine, found], "where one is configured it stays alone"


def test_figures_are_those_of_the_network_that_are_numbers() -> None:
    assert figures(card()) == {"card/style": 0.25, "card/parameters": 7.0, "card/frames_per_second": 30.5}


class Run:
    """In place of W&B's."""

    def __init__(self) -> None:
        self.marked, self.logged, self.statuses = False, list[dict[str, Any]](), list[int | None]()

    def mark_preempting(self) -> None:
        self.marked = True

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self, exit_code: int | None = None) -> None:
        self.statuses.append(exit_code)


@pytest.mark.parametrize(
    ("status", "again"), [(0, False), (1, False), (128 + signal.SIGTERM, False), (128 + signal.SIGUSR1, True)]
)
def test_a_run_ends_there_as_here_and_asks_to_be_run_again_where_it_made_room(
    status: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run()
    monkeypatch.setattr(wandb, "run", run)
    monkeypatch.setattr(wandb, "finish", run.finish)
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "r")
    close([], status)
    assert not run.statuses, "nothing is attached"
    close(attached([]), status)
    assert (run.marked, run.statuses) == (again, [status])


@pytest.fixture
def _first_use() -> Iterator[None]:
    """As in a new process: W&B reads the environment at its first use, and tests before and after may be of the same one."""
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.usefixtures("_first_use")
def test_a_card_is_logged_at_the_last_step_and_its_page_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "r")
    (tmp_path / "card.html").write_text("<html><head></head><body>page</body></html>")
    mine, theirs = attached([RunLogger(tmp_path)])
    hand_over([mine, theirs], card(), tmp_path, 9)
    run = theirs.experiment
    assert run.summary["card/style"] == 0.25
    assert run.summary["trainer/global_step"] == 9
    assert run.settings.sweep_id == "s"
    assert run.group == "s"
    close([theirs], 0)
    (page,) = Path("runs").rglob("*.html")
    assert page.read_text() == (tmp_path / "card.html").read_text()
    assert RunLogger(tmp_path).rows()[-1] == {
        "step": "9", "card/style": "0.25", "card/parameters": "7.0", "card/frames_per_second": "30.5",
    }  # fmt: skip
