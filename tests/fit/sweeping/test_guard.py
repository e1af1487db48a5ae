import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fit.sweeping import guard


class Guarded:
    def __init__(self, folder: Path, *command: str) -> None:
        reading, self.writing = os.pipe()
        self.exit_file = folder / "exit"
        words = [sys.executable, "-I", guard.__file__, str(reading), str(self.exit_file), "--", *command]
        kept = os.open(folder, os.O_RDONLY)
        self.process = subprocess.Popen(
            words, pass_fds=(reading, kept), env=os.environ | {guard.KEEP: str(kept)}, process_group=0, stderr=subprocess.PIPE
        )
        os.close(reading)
        os.close(kept)
        self.kept = kept

    def wait(self) -> int:
        try:
            return self.process.wait(20)
        finally:
            os.close(self.writing)


@pytest.mark.parametrize(
    ("code", "noted", "status"),
    [("raise SystemExit(0)", "0", 0), ("raise SystemExit(3)", "3", 3), ("import os; os.kill(os.getpid(), 9)", "-9", 137)],
)
def test_the_status_of_the_program_is_noted_and_its_own(tmp_path: Path, code: str, noted: str, status: int) -> None:
    guarded = Guarded(tmp_path, sys.executable, "-c", code)
    assert guarded.wait() == status
    assert guarded.exit_file.read_text() == noted


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path, "no-such-program")
    assert guarded.wait() == 127
    assert guarded.exit_file.read_text() == "127"
    assert guarded.process.stderr
    assert guarded.process.stderr.read() == b"error: no-such-program: No such file or directory\n"


def test_the_kept_descriptor_is_the_programs_and_its_variable_is_not(tmp_path: Path) -> None:
    code = f"import os, sys; os.fstat(int(sys.argv[1])); raise SystemExit(5 * ({guard.KEEP!r} in os.environ))"
    kept = Guarded(tmp_path, sys.executable, "-c", code, "{}")
    kept.wait()
    again = Guarded(tmp_path, sys.executable, "-c", code, str(kept.kept))
    assert again.kept == kept.kept, "the same number"
    assert again.wait() == 0


def test_sigterm_reaches_the_program_alone(tmp_path: Path) -> None:
    child = f"import signal; signal.signal(15, lambda *_: open({str(tmp_path / 'grandchild')!r}, 'w')); signal.pause()"
    code = (
        "import signal, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "signal.signal(15, lambda *_: sys.exit(143))\n"
        f"open({str(tmp_path / 'ready')!r}, 'w')\n"
        "signal.pause()\n"
    )
    guarded = Guarded(tmp_path, sys.executable, "-c", code)
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    guarded.process.send_signal(signal.SIGTERM)
    assert guarded.process.wait(20) == 143
    assert not (tmp_path / "grandchild").exists()
    os.killpg(guarded.process.pid, signal.SIGKILL)
    os.close(guarded.writing)


def test_the_whole_group_goes_with_the_runner(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys\n"
        "signal.signal(15, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(pids)!r} + '.part', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.part', {str(pids)!r})\n"
        "signal.pause()\n"
    )
    guarded = Guarded(tmp_path, sys.executable, "-c", code)
    while not pids.exists():
        time.sleep(0.02)
    os.close(guarded.writing)  # as the end of the runner does
    assert guarded.process.wait(20) == -signal.SIGKILL
    assert not guarded.exit_file.exists(), "nothing says that the trial has ended"
    until = time.monotonic() + 10
    while any(alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < until
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
