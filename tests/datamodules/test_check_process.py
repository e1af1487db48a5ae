import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datamodules.check_process import Checker

# Takes the place of the real program, and does as the name of the file says.
PLAYER = """
import json, os, signal, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    name = os.path.basename(json.loads(line))
    if name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("exit"):
        sys.exit(3)
    if name.startswith("hang"):
        time.sleep(60)
    for share in (0.25, 0.5):
        print(json.dumps({"share": share}), flush=True)
        time.sleep(0.3 if name.startswith("slow") else 0)
    if name.startswith("half"):
        print('{"vid', end="", flush=True)
        os._exit(0)
    print(json.dumps({"error": [name, str(os.getpid()), ""]}), flush=True)
"""


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checker]:
    package = tmp_path / "package" / "datamodules"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "check_server.py").write_text(PLAYER)
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    checker = Checker(patience=2)
    yield checker
    checker.close()


def ignore(share: float) -> None:
    pass


def test_one_process_checks_file_after_file(checker: Checker) -> None:
    told: list[float] = []
    answers = [checker.check(Path(name), told.append)["error"] for name in ("a", "b")]
    assert [name for name, *_ in answers] == ["a", "b"]
    assert len({process for _, process, _ in answers}) == 1
    assert told == [0.25, 0.5] * 2


@pytest.mark.parametrize(
    ("name", "how"),
    [("crash", signal.SIGSEGV.name), ("exit", "exit status 3"), ("hang", "nothing for 2 s"), ("half", "exit status 0")],
)
def test_a_file_that_ends_the_process_ends_nothing_else(checker: Checker, name: str, how: str) -> None:
    for _ in range(2):
        assert checker.check(Path(name), ignore) == {"died": how}
        assert checker.check(Path("a"), ignore)["error"][0] == "a"


def test_a_process_killed_between_two_files_is_started_again(checker: Checker) -> None:
    os.kill(int(checker.check(Path("a"), ignore)["error"][1]), signal.SIGKILL)
    assert checker.check(Path("b"), ignore) == {"died": "SIGKILL"}
    assert checker.check(Path("b"), ignore)["error"][0] == "b"


def test_signs_of_life_are_waited_for(checker: Checker) -> None:
    checker.patience = 0.5
    assert checker.check(Path("slow"), ignore)["error"][0] == "slow", "0.6 s in all, never 0.5 s without a sign"


def test_close_ends_it(checker: Checker) -> None:
    process = int(checker.check(Path("a"), ignore)["error"][1])
    checker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(RuntimeError):
        checker.check(Path("a"), ignore)


def test_a_process_that_does_not_start_says_why(checker: Checker, tmp_path: Path) -> None:
    (tmp_path / "package" / "datamodules" / "check_server.py").write_text("import nothing_of_the_kind")
    with pytest.raises(RuntimeError, match=r"exit status 1.*No module named 'nothing_of_the_kind'"):
        checker.check(Path("a"), ignore)


def test_the_real_one_is_not_misled_by_the_working_folder(tmp_path: Path, video: Callable[..., Path]) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    checker = Checker()
    try:
        assert checker.check(video(tmp_path / "a.mp4", range(9)), ignore)["video"]["ticks"] is None
    finally:
        checker.close()
