"""What a person sees while a sweep runs: a line for each event and, in a terminal, how things stand, redrawn below them."""

import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from fit.sweeping.file import SweepFile
from fit.sweeping.parameters import Parameter
from fit.sweeping.table import best, duration, ranked, seconds, short, table
from fit.sweeping.trial import Trial

EVERY = 1.0  # seconds between two drawings
_SHOWN = 8  # trials in the table


class Display:
    """Writes to a stream.

    Args:
        stream: where to.
        file: of the sweep.
        varied: parameters that are not constant.
        parallel: trials at a time.
    """

    def __init__(self, stream: TextIO, file: SweepFile, varied: Sequence[Parameter], parallel: int) -> None:
        self.stream, self.file, self.varied, self.parallel = stream, file, varied, parallel
        self.terminal = stream.isatty()
        self.lines = 0  # drawn, to be drawn over
        self.drawn = 0.0  # when

    def say(self, *lines: str) -> None:
        """Lines that stay."""
        self._erase()
        self.stream.write("".join(f"{line}\n" for line in lines))
        self.stream.flush()

    def started(self, trial: Trial) -> None:
        """A trial runs."""
        chosen = " ".join(f"{parameter.name}={short(parameter.of(trial.args))}" for parameter in self.varied)
        self.say(f"trial {trial.number} started: {chosen}")

    def stopping(self, trial: Trial) -> None:
        """A trial is among the worst."""
        self.say(f"trial {trial.number} is stopped by hyperband after {len(trial.history)} values of {self.file.metric}")

    def ended(self, trial: Trial, last_lines: Sequence[str]) -> None:
        """A trial has ended, or will be run again."""
        value = trial.values.get(self.file.metric or "")
        what = {"waiting": "interrupted, to be run again"}.get(trial.state, trial.state)
        found = f", {self.file.metric} {short(value)}" if value is not None else ""
        why = f" ({trial.reason}); its last lines:" if trial.state == "failed" else ""
        self.say(
            f"trial {trial.number} {what} after {duration(seconds(trial))}{found}{why}", *(f"    {line}" for line in last_lines)
        )

    def interrupted(self, number: int, running: int, again: bool) -> None:
        """A signal to end has come."""
        what = "trials are killed" if again else f"ending {running} running trials; once more kills them"
        self.say(f"{signal.Signals(number).name}: {what}")

    def refresh(self, trials: Sequence[Trial], limit: int) -> None:
        """Draw how things stand, in a terminal and not too often."""
        if not self.terminal or time.monotonic() < self.drawn + EVERY:
            return
        self.drawn = time.monotonic()
        width, height = shutil.get_terminal_size()
        lines = ["", *self.standing(trials), summary(trials, self.file, limit, self.parallel)]
        self._erase()
        lines = [line[: width - 1] for line in lines[-(height - 2) :]]
        self.stream.write("".join(f"{line}\n" for line in lines))
        self.stream.flush()
        self.lines = len(lines)

    def standing(self, trials: Sequence[Trial]) -> list[str]:
        """The running trials and the best ones."""
        running = [replace(trial, ended=time.time()) for trial in trials if trial.state in ("running", "stopping")]
        done = [trial for trial in trials if trial.state in ("finished", "stopped")]
        order = ranked(done, self.file.metric, self.file.maximize)[: max(2, _SHOWN - len(running))]
        return table([*running, *order], self.file.metric, self.varied)

    def _erase(self) -> None:
        if self.lines:
            self.stream.write(f"\x1b[{self.lines}F\x1b[J")
            self.lines = 0


def summary(trials: Sequence[Trial], file: SweepFile, limit: int, parallel: int) -> str:
    """Such as "5 of 12 trials: 3 finished, 2 running; best val/score 0.41 (trial 3); about 12:30 left"."""
    states = Counter("running" if trial.state == "stopping" else trial.state for trial in trials)
    counts = [f"{states[state]} {state}" for state in ("finished", "stopped", "failed", "running", "waiting") if states[state]]
    done = sum(trial.final for trial in trials)
    parts = [f"{done} of {limit} trials: {', '.join(counts) or 'none yet'}"]
    if found := best(trials, file.metric, file.maximize):
        parts.append(f"best {file.metric} {short(found.values[str(file.metric)])} (trial {found.number})")
    if (left := remaining(trials, limit, parallel)) is not None:
        parts.append(f"about {duration(left)} left")
    return "; ".join(parts)


def remaining(trials: Sequence[Trial], limit: int, parallel: int) -> float | None:
    """Seconds until all trials have ended, from how long those took that ran to their end; None before any did."""
    took = [taken for trial in trials if trial.state == "finished" and (taken := seconds(trial)) is not None]
    if not took:
        return None
    mean, now = sum(took) / len(took), time.time()
    running = [trial for trial in trials if trial.state in ("running", "stopping")]
    under_way = sum(max(0.0, mean - (now - (trial.began or now))) for trial in running)
    wanted = limit - sum(trial.final for trial in trials) - len(running)
    return (under_way + max(0, wanted) * mean) / parallel
