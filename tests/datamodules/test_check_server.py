import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules import check_server
from datamodules.check_server import answer
from datamodules.video_check import check_video
from datamodules.videos import to_json


def ignore(share: float) -> None:
    pass


def test_a_video_is_described(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.mp4", range(9))
    assert answer(path, ignore) == {"video": to_json(check_video(path))}


def test_what_is_no_video_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.touch()
    assert answer(path, ignore) == {"error": ["a video file", "an empty file", "copy it again"]}


def test_a_failure_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, progress: object) -> None:
        raise MemoryError("all gone\nreally")

    monkeypatch.setattr(check_server, "check_video", fail)
    assert answer(tmp_path, ignore) == {"died": "MemoryError: all gone"}


def test_it_answers_line_by_line_until_the_end(tmp_path: Path, video: Callable[..., Path]) -> None:
    good, empty = video(tmp_path / "a\nb \udcff.mp4", range(9)), tmp_path / "b.mp4"
    empty.touch()
    asked = "".join(json.dumps(str(path)) + "\n" for path in (good, empty, good))
    root = str(Path(check_server.__file__).parents[1])
    command = [sys.executable, "-m", "datamodules.check_server"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=root, check=True, timeout=60)
    first, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert first == {"ready": True}
    assert [next(iter(found)) for found in answers if "share" not in found] == ["video", "error", "video"]


def test_what_libraries_print_does_not_come_between_the_answers(tmp_path: Path) -> None:
    noisy = (
        "import os\nfrom datamodules import check_server\n"
        "check_server.check_video = lambda path, progress: os.write(1, b'noise') / 0\n"
        "check_server.serve()\n"
    )
    root = str(Path(check_server.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", noisy], input='"a"\n', capture_output=True, text=True, cwd=root, timeout=60)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"ready": True},
        {"died": "ZeroDivisionError: division by zero"},
    ]
    assert done.stderr == "noise"
