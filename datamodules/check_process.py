"""Checks video files in a process of its own: a file that crashes or hangs the decoder takes nothing else down.

The process is a plain ``python -m datamodules.check_server``, which answers paths, a line of JSON each, with lines of JSON. It
is neither forked, so that no decoder is shared, nor started by ``multiprocessing``, which would run the user's script again.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import IO, Any, cast

PATIENCE = 600  # seconds without a sign of life: a jump may decode thousands of large frames before it can give one


class Checker:
    """One such process, started at the first file and again after a crash. Used by one thread at a time.

    Args:
        patience: seconds without a sign of life after which it is killed.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    def check(self, path: Path, progress: Callable[[float], None]) -> dict[str, Any]:
        """Check a file.

        Args:
            path: of the file.
            progress: told now and then which share of the file is done.

        Returns:
            ``{"video": ...}`` as ``to_json`` gives it; ``{"error": [expected, got, action]}``; or ``{"died": how}`` after a
            crash, a hang or a failure of the check itself, which may not happen again.

        Raises:
            RuntimeError: no such process can be started.
        """
        process = self._process or self._start()
        with suppress(OSError):  # it may be dead already: then there is no answer either
            print(json.dumps(str(path)), file=process.stdin, flush=True)
        while True:
            line, hung = self._line(process)
            if not line:
                return {"died": self._bury(process, hung)}
            answer: dict[str, Any] = json.loads(line)
            if "share" not in answer:
                return answer
            progress(answer["share"])

    def close(self) -> None:
        """End the process, whatever it is doing. From any thread."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
            self._bury(process)

    def _start(self) -> subprocess.Popen[str]:
        with tempfile.TemporaryFile() as errors:
            process = self._process = subprocess.Popen(
                # Without -P a file of the working folder named like a library would be taken for it.
                [sys.executable, "-P", "-m", "datamodules.check_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)},
            )
            if self._closed:
                process.kill()
            ready, hung = self._line(process)
            if ready:
                return process
            how = self._bury(process, hung)
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().split("\n")[-1]
        raise RuntimeError(f"videos cannot be checked: the process that should do it ends ({how}): {said}")

    def _line(self, process: subprocess.Popen[str]) -> tuple[str, bool]:
        """The next line, empty at the end, and whether the end came by running out of patience."""
        hung = []

        def kill() -> None:
            hung.append(True)
            process.kill()

        watch = Timer(self.patience, kill)
        watch.daemon = True
        watch.start()
        try:
            line = cast(IO[str], process.stdout).readline()
        finally:
            watch.cancel()
        return line if line.endswith("\n") else "", bool(hung)

    def _bury(self, process: subprocess.Popen[str], hung: bool = False) -> str:
        """Forget a process that has ended or is about to; how it ended."""
        self._process = None
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError, ValueError):
                cast(IO[str], pipe).close()
        if hung:
            return f"nothing for {self.patience:g} s"
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"
