import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datamodules import check_pool
from datamodules.check_pool import MOST_PROCESSES, check_files


class Bar:
    """Stands for tqdm and adds up."""

    def __init__(self, **options: Any) -> None:
        self.total, self.done = options["total"], 0
        bars.append(self)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, step: int) -> None:
        assert step >= 0
        self.done += step


bars: list[Bar] = []


def processes(parent: int) -> list[int]:
    return [int(line) for line in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_every_file_is_answered_once_and_counted(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bars.clear()
    monkeypatch.setattr(check_pool, "tqdm", Bar)
    monkeypatch.setattr(check_pool, "cores", lambda: 2)
    paths = [video(tmp_path / f"{n}.mp4", range(5 + n)) for n in range(4)]
    (tmp_path / "empty.mp4").touch()
    sizes = {path: path.stat().st_size for path in [*paths, tmp_path / "empty.mp4"]}
    found = list(check_files(sizes))
    assert len(found) == 5
    answers = dict(found)
    assert [answers[path]["video"]["range"][1] // answers[path]["video"]["range"][2] for path in paths] == [5, 6, 7, 8]
    assert "error" in answers[tmp_path / "empty.mp4"]
    assert [(bar.total, bar.done) for bar in bars] == [(sum(sizes.values()),) * 2]


def test_no_file_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_pool, "Checker", None)
    assert list(check_files({})) == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_processes_are_few_and_end_when_nobody_listens_any_more(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_pool, "cores", lambda: 2)
    before = processes(os.getpid())
    answers = check_files({video(tmp_path / f"{n}.mp4", range(5)): 1 for n in range(6)})
    assert json.dumps(next(answers)[1])
    assert len(set(processes(os.getpid())) - set(before)) <= 2
    answers.close()  # type: ignore[attr-defined]
    assert set(processes(os.getpid())) <= set(before)
    assert MOST_PROCESSES >= 2
