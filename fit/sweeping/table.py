"""Trials as lines of text, the best first."""

import json
from collections.abc import Sequence
from typing import Any

from fit.evaluation.console import aligned
from fit.evaluation.text import number
from fit.sweeping.metrics import FLICKER, STYLE
from fit.sweeping.parameters import Parameter
from fit.sweeping.trial import Trial

_ORDER = ("finished", "stopped", "stopping", "running", "failed", "waiting")
_LONGEST = 24  # characters of a value
MISSING = "-"


def ranked(trials: Sequence[Trial], metric: str | None, maximize: bool) -> list[Trial]:
    """The best first: those that ran to their end, then those that were stopped, each by the metric's last value."""

    def key(trial: Trial) -> tuple[int, float, int]:
        value = trial.values.get(metric, float("inf")) if metric else 0.0
        return _ORDER.index(trial.state), -value if maximize and metric in trial.values else value, trial.number

    return sorted(trials, key=key)


def best(trials: Sequence[Trial], metric: str | None, maximize: bool) -> Trial | None:
    """The one to go on with; None where the file names no metric, or no trial has a value of it."""
    first = next(iter(ranked(trials, metric, maximize)), None)
    return first if first and metric in first.values and first.state in ("finished", "stopped") else None


def columns(trials: Sequence[Trial], metric: str | None) -> list[str]:
    """The metrics that a table of these trials shows."""
    names = dict.fromkeys(name for name in (metric, STYLE, FLICKER) if name)
    return [name for name in names if name == metric or any(name in trial.values for trial in trials)]


def cells(trials: Sequence[Trial], metric: str | None, varied: Sequence[Parameter]) -> list[list[str]]:
    """A head and a line for each trial."""
    names = columns(trials, metric)
    rows = [["trial", "state", *names, "step", "time", *(parameter.name for parameter in varied)]]
    for trial in trials:
        values = [number(trial.values.get(name)).replace("–", MISSING) for name in names]
        chosen = [short(parameter.of(trial.args)) for parameter in varied]
        rows.append([str(trial.number), trial.state, *values, progress(trial), duration(seconds(trial)), *chosen])
    return rows


def table(trials: Sequence[Trial], metric: str | None, varied: Sequence[Parameter]) -> list[str]:
    """The same, aligned, and why trials failed below."""
    failed = [f"trial {trial.number} failed: {trial.reason}" for trial in trials if trial.state == "failed"]
    return aligned(cells(trials, metric, varied)) + failed


def short(value: Any) -> str:
    """A value of a parameter: numbers with three digits, what is not a number as JSON has it."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case float():
            return f"{value:.3g}"
        case str():
            text = value
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def progress(trial: Trial) -> str:
    """Such as "120/500"."""
    if trial.step is None:
        return MISSING
    return f"{trial.step}/{trial.steps}" if trial.steps else str(trial.step)


def seconds(trial: Trial) -> float | None:
    """How long a trial has taken."""
    return None if trial.began is None or trial.ended is None else trial.ended - trial.began


def duration(time: float | None) -> str:
    """Such as "45 s", "12:30", "3:05:00"."""
    if time is None:
        return MISSING
    minutes, rest = divmod(round(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}" if minutes else f"{rest} s"
