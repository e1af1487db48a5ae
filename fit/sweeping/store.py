"""The folder of a sweep: what was asked, and each trial as it stands, whole at any moment.

A kill at any time loses at most the trials that were running: every change of a trial is one file replaced.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import yaml

from datamodules.errors import DataError
from datamodules.pack_plan import replace
from fit.sweeping.file import SweepFile
from fit.sweeping.trial import Trial

VERSION = 1
PATIENCE = 10.0  # seconds until what a killed runner has left behind must be gone
SWEEP, COPY, TRIALS, LOCK = "sweep.json", "sweep.yaml", "trials", "lock"
_UNBORN = {LOCK, COPY, f"{COPY}.part", f"{SWEEP}.part"}  # a folder that was left before its sweep began
TRIAL, LOG, RUNS, EXIT, ARGS = "trial.json", "log.txt", "runs", "exit", "args.json"


class Store:
    """The folder of a sweep.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, trial: Trial) -> Path:
        """The folder of a trial."""
        return self.folder / TRIALS / trial.name

    def check(self, file: SweepFile, seed: int) -> None:
        """Look whether this sweep can be begun here, or is the one that was.

        Raises:
            DataError: the folder holds another sweep, or something else.
        """
        if (self.folder / SWEEP).exists():
            self._same(file, seed)
        elif self.folder.is_dir():
            others = sorted({path.name for path in self.folder.iterdir()} - _UNBORN)
            if others:
                raise DataError(self.folder, "an empty folder, or a sweep to go on with", others[0], "give another --dir")

    def settle(self, file: SweepFile, seed: int) -> None:
        """Keep what was asked, or find the same here.

        Raises:
            DataError: as ``check`` has it.
        """
        self.check(file, seed)
        if not (self.folder / SWEEP).exists():
            replace(self.folder / COPY, file.text.encode())
            said = {"version": VERSION, "file": str(file.path), "seed": seed}
            replace(self.folder / SWEEP, json.dumps(said, indent=1).encode())

    def _same(self, file: SweepFile, seed: int) -> None:
        known = json.loads((self.folder / SWEEP).read_text(encoding="utf-8"))
        if yaml.safe_load((self.folder / COPY).read_text(encoding="utf-8")) != file.config:
            expected, got = f"the sweep that was begun here, kept in {COPY}", f"{file.path}, which says something else"
            raise DataError(self.folder, expected, got, "give another --dir, or the file as it was")
        if (known.get("version"), known.get("seed")) != (VERSION, seed):
            got = f"--seed {seed}, version {VERSION}"
            raise DataError(
                self.folder,
                f"a sweep of --seed {known.get('seed')}, version {known.get('version')}",
                got,
                "give another --dir, or that --seed",
            )

    def trials(self) -> list[Trial]:
        """All of them by number, also from outside while a runner works here."""
        paths = sorted(self.folder.glob(f"{TRIALS}/*/{TRIAL}"))
        return [Trial(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]

    def save(self, trial: Trial) -> None:
        """Keep how a trial stands."""
        self.of(trial).mkdir(parents=True, exist_ok=True)
        replace(self.of(trial) / TRIAL, json.dumps(asdict(trial), indent=1, allow_nan=False).encode())

    def clear(self, trial: Trial) -> None:
        """Remove what an earlier attempt at a trial has left, which would be taken for this one's."""
        for name in (LOG, EXIT, ARGS):
            (self.of(trial) / name).unlink(missing_ok=True)
        shutil.rmtree(self.of(trial) / RUNS, ignore_errors=True)

    def status(self, trial: Trial) -> int | None:
        """With which status the program of a trial ended, if it did."""
        path = self.of(trial) / EXIT
        return int(path.read_text(encoding="ascii")) if path.exists() else None

    def last_lines(self, trial: Trial, count: int = 6) -> list[str]:
        """Of what a trial has said."""
        path = self.of(trial) / LOG
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
        return [line for line in lines if line.strip()][-count:]

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Keep other runners out. The file descriptor goes to what a runner starts, and keeps them out until that is gone, too.

        Raises:
            DataError: another runner is at work here.
        """
        lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            until = time.monotonic() + PATIENCE
            while not _taken(lock):
                if time.monotonic() > until or _alive(lock):
                    raise DataError(
                        self.folder, "a sweep that nobody runs", "one at work", "wait for it, or give another --dir"
                    )
                time.sleep(0.05)
            os.truncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} {os.uname().nodename}".encode(), 0)
            yield lock
        finally:
            os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _alive(lock: int) -> bool:
    """Whether the runner that wrote itself down is still there, as far as can be seen from here."""
    number, _, machine = os.pread(lock, 300, 0).decode().partition(" ")
    if not number or machine != os.uname().nodename:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
