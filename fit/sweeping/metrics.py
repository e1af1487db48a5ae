"""What a trial has logged so far: its run's ``metrics.csv``, whose rows appear at once."""

import csv
import math
from collections.abc import Iterable
from pathlib import Path

import yaml

from fit.metrics_file import NAME
from fit.sweeping.trial import Trial

STYLE, FLICKER = "val/style", "val/flicker_ratio"


class Logged:
    """Reads the metrics of a trial again when they have changed.

    Args:
        runs: folder in which the trial makes its run folder.
        metric: what the sweep optimises, if anything.
    """

    def __init__(self, runs: Path, metric: str | None) -> None:
        self.runs, self.metric = runs, metric
        self.seen: tuple[int, int] | None = None

    def update(self, trial: Trial) -> bool:
        """Bring a trial up to date; whether anything was new."""
        try:
            return self._update(trial)
        except FileNotFoundError:  # a run without a step takes its folder back at any moment
            return False

    def _update(self, trial: Trial) -> bool:
        path = max(self.runs.glob(f"*/{NAME}"), default=None)
        if path is None:
            return False
        found = path.stat()
        if (found.st_mtime_ns, found.st_size) == self.seen:
            return False
        self.seen = found.st_mtime_ns, found.st_size
        rows = _rows(path)
        trial.history = series(rows, self.metric) if self.metric else []
        columns = dict.fromkeys(name for name in (self.metric, STYLE, FLICKER) if name)
        trial.values = {name: values[-1] for name in columns if (values := series(rows, name))}
        trial.step = next((int(step) for step in reversed(series(rows, "step"))), None)
        trial.steps = trial.steps or _length(path.parent / "config.yaml")
        return True


def series(rows: Iterable[dict[str, str]], name: str) -> list[float]:
    """The finite values of a column, in order."""
    values = [_number(row.get(name)) for row in rows]
    return [value for value in values if value is not None]


def _rows(path: Path) -> list[dict[str, str]]:
    """All but a last row that is still being written."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _length(config: Path) -> int | None:
    """How many steps a run of ``python -m fit`` will make."""
    if not config.exists():
        return None
    steps = (yaml.safe_load(config.read_text(encoding="utf-8")).get("model") or {}).get("init_args", {}).get("steps")
    return steps if isinstance(steps, int) else None
