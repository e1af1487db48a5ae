import io
import sys
from typing import Any

import pytest
from tqdm import tqdm

import lightning_modules.callbacks.progress as progress
from lightning_modules.callbacks.progress import Progress


def test_a_log_file_gets_the_last_step_with_named_losses(train: Any, capsys: pytest.CaptureFixture[str]) -> None:
    train(Progress(), steps=3, n_critic=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("step 3/3 |")
    assert "left" in line
    assert "cycle " in line
    assert "temporal " in line


def test_a_log_file_gets_a_line_every_half_minute(
    train: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 11))
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    train(Progress(), steps=8)
    # The clock moves 11 s at each look, and once more when a line is written.
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["2/8", "5/8", "8/8"]


@pytest.mark.parametrize("others", [0, 2])
def test_a_terminal_gets_one_line_redrawn(train: Any, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    """Whatever bars of others are open, as after a cell of a notebook that was interrupted."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "monotonic", iter(range(1000)).__next__)
    open_bars = [tqdm(file=io.StringIO()) for _ in range(others)]
    train(Progress(), steps=3)
    for bar in open_bars:
        bar.close()
    assert terminal.getvalue().count("\n") == 1
    assert [drawn.split()[1] for drawn in terminal.getvalue().split("\r") if drawn.strip()][-1] == "3/3"
