"""``metrics.csv``: the rows a run has logged, whole at any moment, and cut back to where a run is resumed."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import Logger

NAME = "metrics.csv"


class RunLogger(Logger):
    """Writes each row as it comes, into the run folder itself; a new metric gets a column of its own.

    Lightning's CSVLogger writes a hundred rows at a time, which a killed run loses, and deletes the file of a resumed one.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.columns: list[str] = []
        self.last: float | None = None  # step of the last row

    @property
    def name(self) -> str:
        """Of the run."""
        return self.folder.name

    @property
    def version(self) -> str:
        """Empty: a run folder is one run."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run folder, which ``trainer.log_dir`` is then."""
        return str(self.folder)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration is in config.yaml already."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row, or more columns to the last one if it is of this step.

        ``step`` is Lightning's; a metric of this name takes its place.
        """
        row = {"step": step, **metrics}
        if not self.columns and self.path.exists() and (rows := self.rows()):
            self.columns, self.last = list(rows[0]), float(rows[-1]["step"])
        new = [name for name in sorted(row) if name not in self.columns]
        now = float(row["step"] or 0)
        again, self.last = self.last == now, now
        if new or again:
            rows = self.rows() if self.columns else []
            self.columns += new
            begun = rows.pop() if again else {}
            self._write([*rows, begun | {name: str(value) for name, value in row.items()}])
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns).writerow(row)

    @rank_zero_only
    def keep(self, step: int) -> None:
        """Drop the rows after a generator step: the run goes on from there."""
        if not self.path.exists():
            return
        rows = self.rows()
        self.columns = list(rows[0]) if rows else []
        # The last row may have been cut off by whatever ended the run.
        kept = [row for row in rows if None not in row.values() and int(float(row["step"])) <= step]
        self.last = float(kept[-1]["step"]) if kept else None
        self._write(kept)

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / NAME

    def rows(self) -> list[dict[str, str]]:
        """What the file holds."""
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _write(self, rows: list[dict[str, str]]) -> None:
        part = self.path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, self.path)
