import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fit.sweeping import process as module
from fit.sweeping.process import Lifeline, Process


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    kept = os.open(tmp_path, os.O_RDONLY)
    made = Lifeline(kept)
    yield made
    made.close()
    os.close(kept)


def started(folder: Path, lifeline: Lifeline, code: str) -> Process:
    return Process([sys.executable, "-c", code], folder / "log", folder / "exit", dict(os.environ), lifeline)


def until_ended(process: Process) -> int:
    until = time.monotonic() + 20
    while not process.ended():
        assert time.monotonic() < until
        time.sleep(0.02)
    return process.status


def test_what_a_program_says_goes_to_its_log(tmp_path: Path, lifeline: Lifeline) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); print(repr(sys.stdin.read()))"
    assert until_ended(started(tmp_path, lifeline, code)) == 0
    assert set((tmp_path / "log").read_text().splitlines()) == {"out", "err", "''"}


def test_a_program_is_asked_to_end_and_then_killed(tmp_path: Path, lifeline: Lifeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KILL_AFTER", 0.4)
    code = f"import signal; signal.signal(15, signal.SIG_IGN); open({str(tmp_path / 'ready')!r}, 'w'); signal.pause()"
    process = started(tmp_path, lifeline, code)
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    asked = time.monotonic()
    process.stop()
    process.stop()
    assert until_ended(process) == -9
    assert time.monotonic() - asked >= 0.4


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path, lifeline: Lifeline) -> None:
    child = "import time; time.sleep(60)"
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid)"
    assert until_ended(started(tmp_path, lifeline, code)) == 0
    pid = int((tmp_path / "log").read_text())
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until
        time.sleep(0.02)
