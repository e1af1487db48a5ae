import io
import re
import time
from pathlib import Path

import pytest

from fit.sweeping import display as module
from fit.sweeping.display import Display, remaining, summary
from fit.sweeping.file import SweepFile
from fit.sweeping.parameters import Parameter
from fit.sweeping.trial import Trial

FILE = SweepFile(Path("a.yaml"), "", {"metric": {"name": "loss"}}, 1)
X = Parameter(("x",), [1, 2], discrete=True, logarithmic=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(text: str) -> list[str]:
    """What a terminal shows after this: lines, with the cursor going up (F) and everything below it erased (J)."""
    lines: list[str] = []
    for up, line in re.findall(r"(?:\x1b\[(\d+)F\x1b\[J)?([^\x1b\n]*\n|$)", text):
        if up:
            lines = lines[: len(lines) - int(up)]
        if line:
            lines.append(line.rstrip("\n"))
    return lines


@pytest.fixture
def trials() -> list[Trial]:
    now = time.time()
    return [
        Trial(1, {"x": 1}, state="finished", values={"loss": 0.5}, history=[0.5], began=now - 30, ended=now - 20),
        Trial(2, {"x": 2}, state="running", step=4, steps=8, began=now - 5),
        Trial(3, {"x": 2}, state="failed", reason="status 1", began=now - 9, ended=now - 8),
    ]


def test_outside_of_a_terminal_each_event_is_a_line(trials: list[Trial]) -> None:
    stream = io.StringIO()
    display = Display(stream, FILE, [X], 1)
    display.started(trials[1])
    display.refresh(trials, 9)
    display.ended(trials[0], [])
    display.ended(trials[2], ["oh", "no"])
    display.stopping(trials[0])
    display.interrupted(2, 1, again=False)
    assert stream.getvalue().splitlines() == [
        "trial 2 started: x=2",
        "trial 1 finished after 10 s, loss 0.5",
        "trial 3 failed after 1 s (status 1); its last lines:",
        "    oh",
        "    no",
        "trial 1 is stopped by hyperband after 1 values of loss",
        "SIGINT: ending 1 running trials; once more kills them",
    ]


def test_in_a_terminal_the_table_is_redrawn_below_the_events(trials: list[Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)
    stream = Terminal()
    display = Display(stream, FILE, [X], 1)
    for _ in range(3):
        display.refresh(trials, 9)
    display.started(trials[1])
    display.refresh(trials, 9)
    shown = screen(stream.getvalue())
    assert shown[:2] == ["trial 2 started: x=2", ""]
    assert [line.split()[:2] for line in shown[2:5]] == [["trial", "state"], ["2", "running"], ["1", "finished"]]
    assert "4/8" in shown[3]
    assert shown[5].startswith("2 of 9 trials: 1 finished, 1 failed, 1 running; best loss 0.5 (trial 1); about ")
    assert len(shown) == 6


def test_a_table_fits_into_its_terminal(trials: list[Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "5")
    stream = Terminal()
    Display(stream, FILE, [X], 1).refresh(trials, 9)
    assert len(screen(stream.getvalue())) == 3
    assert max(map(len, screen(stream.getvalue()))) == 29


def test_the_time_left_follows_from_the_mean_of_what_ran_to_its_end(trials: list[Trial]) -> None:
    # 10 s each: 5 of the running one, and 9 - 3 that have not begun; two at a time take half as long.
    assert remaining(trials, 9, 1) == pytest.approx(65, abs=1)
    assert remaining(trials, 9, 2) == pytest.approx(32.5, abs=1)
    assert remaining(trials[1:], 9, 1) is None


def test_a_summary_before_anything_has_begun() -> None:
    assert summary([], FILE, 4, 1) == "0 of 4 trials: none yet"
