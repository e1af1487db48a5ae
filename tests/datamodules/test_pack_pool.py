import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datamodules.errors import DataError
from datamodules.pack_pool import WorkerDiedError, work

ROOT = Path(__file__).resolve().parents[2]


def squared(number: int) -> int:
    return number * number


def failing_at_two(job: tuple[int, str]) -> None:
    number, folder = job
    if number == 2:
        raise DataError("clip", "a clip", "none", "restore it")
    Path(folder, f"{number} begun").touch()
    time.sleep(60)


def dying(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_every_job_is_done_once() -> None:
    assert sorted(number for done in work(squared, range(9), 2) for number in done) == [n * n for n in range(9)]


def test_an_error_stops_the_others_where_they_are(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DataError, match="clip: expected a clip, got none"):
        list(work(failing_at_two, [(number, str(tmp_path)) for number in (1, 2, 3, 4)], 2))
    assert time.monotonic() - started < 30
    assert not (tmp_path / "4 begun").exists()


def test_a_killed_process_is_told() -> None:
    with pytest.raises(WorkerDiedError, match="a process was killed"):
        list(work(dying, range(2), 1))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes where Linux lists them")
@pytest.mark.parametrize("busy", [True, False])
def test_processes_end_soon_after_their_parent_is_killed(busy: bool) -> None:
    code = (
        "import sys, time\n"
        "from datamodules.pack_pool import work\n"
        "if __name__ == '__main__':\n"
        f"    for done in work(time.sleep, [{60 if busy else 0.01}] + [60], 2):\n"
        "        print('going', flush=True)\n"
    )
    script = Path("parent.py")
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert parent.stdout
    for _ in range(8):
        parent.stdout.readline()
    children = [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
    assert len(children) >= 2
    parent.kill()
    parent.wait()
    until = time.monotonic() + 15
    while any(map(alive, children)):
        assert time.monotonic() < until
        time.sleep(0.01)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes where Linux lists them")
def test_ctrl_c_while_processes_begin_is_heard_by_the_parent_alone() -> None:
    script = Path("parent.py")
    script.write_text(
        "import time\n"
        "from datamodules.pack_pool import work\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        list(work(time.sleep, [60, 60], 2))\n"
        "    except KeyboardInterrupt:\n"
        "        raise SystemExit(130)\n"
    )
    going = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{going.pid}/task/{going.pid}/children")
    while len(children.read_text().split()) < 3:  # a resource tracker and two that are still importing
        time.sleep(0.001)
    os.killpg(going.pid, signal.SIGINT)
    _, told = going.communicate(timeout=60)
    assert going.returncode == 130, told
    assert told == ""
