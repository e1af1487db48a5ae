"""Stands between the runner of a sweep and the program of a trial, so that none outlives the runner, not even by kill -9.

Run as a file, with the standard library alone, because it starts with each trial::

    python -I guard.py ALIVE EXIT -- COMMAND...

ALIVE is the reading end of a pipe whose writing end only the runner has: when it closes, the whole process group ends at once.
EXIT is a file that gets the program's exit status, negative for a signal, whole or not at all. SIGTERM goes on to the program
alone, as from the W&B agent. File descriptors in FIT_KEEP stay open in the program.
"""

import os
import signal
import subprocess
import sys
import threading
from typing import Any

KEEP = "FIT_KEEP"


def main(alive: int, exit_file: str, command: list[str]) -> int:
    """Run the command to its end; its status, 128 plus the signal where one ended it, 127 where it cannot be run."""
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _: Any) -> None:
        early.append(number)
        if started:
            started[0].send_signal(number)

    signal.signal(signal.SIGTERM, forward)
    threading.Thread(target=_watch, args=(alive,), daemon=True).start()
    keep = os.environ.pop(KEEP, "")
    try:
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[int(fd) for fd in keep.split()]))
    except OSError as error:
        print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)
        _note(exit_file, 127)
        return 127
    if early:
        started[0].terminate()
    status = started[0].wait()
    _note(exit_file, status)
    return status if status >= 0 else 128 - status


def _watch(alive: int) -> None:
    os.read(alive, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _note(path: str, status: int) -> None:
    with open(f"{path}.part", "w", encoding="ascii") as file:
        file.write(str(status))
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.part", path)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[4:]))
