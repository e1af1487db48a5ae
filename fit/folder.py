"""The folder of a run."""

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from fit.ranks import first_process

VARIABLE = "FIT_RUNS"  # environment variable: where the folders of runs are made
RUNS = Path(os.environ.get(VARIABLE) or "runs")


def new_folder(name: str) -> Path:
    """Make ``runs/<time>-<name>`` (or in ``FIT_RUNS``), with a number behind it if another run started in the same second.

    Under several processes only the first makes it; Lightning tells the others through ``trainer.log_dir``.

    Raises:
        ValueError: the name cannot be part of a folder's name.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"name: expected letters, digits, dots, dashes and underscores, got {name!r}")
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    number = 1
    while first_process():
        folder = RUNS / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
    return RUNS / stem


def remove(folder: Path) -> None:
    """Take a folder back, as if nothing had been started."""
    shutil.rmtree(folder)
    with suppress(OSError):
        RUNS.rmdir()  # only if no other run is in it
