"""The program of a trial while it runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fit.sweeping import guard

KILL_AFTER = 30.0  # seconds from SIGTERM to SIGKILL, as the W&B agent waits


class Lifeline:
    """A pipe that closes with this process, however it ends, and takes the programs with it that were started on it.

    Args:
        keep: file descriptor that the programs inherit.
    """

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.reading, self.writing = os.pipe()

    def close(self) -> None:
        """End what still runs."""
        os.close(self.reading)
        os.close(self.writing)


class Process:
    """Starts a program, in a process group of its own, so that a Ctrl-C meant for the runner does not reach it.

    Args:
        command: its words.
        log: file that gets what it says.
        exit_file: file that gets its status.
        environment: of the program.
        lifeline: of this runner.
    """

    def __init__(
        self, command: Sequence[str], log: Path, exit_file: Path, environment: Mapping[str, str], lifeline: Lifeline
    ) -> None:
        words = [sys.executable, "-I", str(Path(guard.__file__).resolve()), str(lifeline.reading), str(exit_file), "--"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*words, *command],
                env={**environment, guard.KEEP: str(lifeline.keep)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(lifeline.reading, lifeline.keep),
                process_group=0,
            )
        self.asked: float | None = None

    def ended(self) -> bool:
        """Whether it has; what it has left behind is then ended, too. One that does not heed a stop is killed in time."""
        if self.process.poll() is None:
            if self.asked is not None and time.monotonic() > self.asked + KILL_AFTER:
                self.kill()
            return False
        self.kill()
        return True

    @property
    def status(self) -> int:
        """Of one that has ended, as its guard has it."""
        return self.process.wait()

    def stop(self) -> None:
        """Ask it to end; the first time counts."""
        if self.asked is None:
            self.asked = time.monotonic()
            self.process.terminate()

    def kill(self) -> None:
        """End it and everything it has started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
