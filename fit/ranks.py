"""One process for each device: this one starts the others of its machine, and none outlives another.

Lightning would start them too, but without a word about why one died. Where torchrun or SLURM has started all of them, there
is nothing to do here. PyTorch's own names are used: rank, the number of a process; local rank, its number on this machine.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

PARENT = "FIT_PARENT"  # environment variable: the process that started this rank
PLACE = ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
STOPPED = {128 + number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}  # how a rank ends that was asked to
SOURCES = Path(__file__).resolve().parents[1]  # every rank runs the same ones, wherever it is started
GRACE = 8.0  # seconds for a rank to end by itself once another is gone


class RankLost(RuntimeError):
    """Another rank has died; the message says which and of what."""


def first_process() -> bool:
    """Whether this is the process that writes files and speaks: rank 0, known before anything is set up."""
    if TorchElasticEnvironment.detect():
        return os.environ.get("RANK", "0") == "0"
    if SLURMEnvironment.detect():
        return os.environ.get("SLURM_PROCID", "0") == "0"
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def started_outside() -> bool:
    """Whether something else has started a process for each device."""
    return TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "LOCAL_RANK" in os.environ


class Ranks:
    """The further ranks of this machine.

    Args:
        devices: ranks on this machine, this process included.
        command: what a rank runs; the same as this process.
    """

    def __init__(self, devices: int, command: Sequence[str]) -> None:
        self.wanted = 0 if started_outside() else devices - 1
        self.command = list(command)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ended = threading.Event()
        self.before = {name: os.environ.get(name) for name in PLACE}
        if self.wanted:  # Lightning reads these when the trainer is made
            os.environ |= {
                name: self.before[name] or new for name, new in zip(PLACE, ("0", "127.0.0.1", str(free_port())), strict=True)
            }

    def start(self) -> None:
        """Start them, and watch."""
        for rank in range(1, self.wanted + 1):
            own = os.environ | {"LOCAL_RANK": str(rank), PARENT: str(os.getpid())}
            own["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SOURCES), own.get("PYTHONPATH")]))
            self.processes.append(subprocess.Popen(self.command, env=own))
        if self.processes:
            threading.Thread(target=self._watch, daemon=True, name="ranks").start()
        if PARENT in os.environ:
            threading.Thread(target=_leave_with, args=(int(os.environ[PARENT]),), daemon=True, name="parent").start()

    def casualty(self, wait: float = 0.0) -> str:
        """Which rank has died and of what, or "" if none has, for up to so many seconds from now."""
        until = time.monotonic() + wait
        while True:
            for rank, process in enumerate(self.processes, start=1):
                code = process.poll()
                if code not in (None, 0) and code not in STOPPED:
                    return f"rank {rank} (process {process.pid}) {_cause(code)}"
            if time.monotonic() >= until:
                return ""
            time.sleep(0.05)

    def close(self, failed: bool) -> str:
        """Wait for the others, or, after a failure, end them; then forget what was set up for them.

        Returns:
            What ``casualty`` says of them.
        """
        self.ended.set()
        for process in self.processes:
            try:
                process.wait(timeout=1.0 if failed else 60.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        lost = self.casualty()
        for name, value in self.before.items() if self.wanted else ():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        return lost

    def _watch(self) -> None:
        while not self.ended.wait(0.3):
            if reason := self.casualty():
                # Usually this process notices too, when it next talks to that rank, and says so in its own way.
                if not self.ended.wait(GRACE):
                    print(f"error: {reason}; the other ranks are ended", file=sys.stderr, flush=True)
                    for process in self.processes:
                        process.kill()
                    os._exit(1)
                return


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cause(code: int) -> str:
    if code > 0:
        return f"ended with status {code}; what it said stands above"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (" (often: out of memory)" if -code == signal.SIGKILL else "")


def _leave_with(parent: int) -> None:
    """End this process once its parent is gone: nothing would ever answer it again."""
    while os.getppid() == parent:
        time.sleep(0.5)
    print(f"error: rank {os.environ.get('LOCAL_RANK')}: the first rank is gone; leaving", file=sys.stderr, flush=True)
    os._exit(1)
