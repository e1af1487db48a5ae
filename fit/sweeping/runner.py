"""Runs the trials of a sweep, so many at a time, until there are enough."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fit.folder import VARIABLE
from fit.sweeping.display import Display
from fit.sweeping.file import SweepFile
from fit.sweeping.metrics import Logged
from fit.sweeping.process import Lifeline, Process
from fit.sweeping.slots import Slots
from fit.sweeping.store import ARGS, EXIT, LOG, RUNS, Store
from fit.sweeping.suggest import Suggestions
from fit.sweeping.trial import State, Trial

LOOK = 0.1  # seconds between two looks at the trials
HOPELESS = 5  # trials that fail before any succeeds: the rest would, too; as many as the W&B agent takes
# Of a trial that a runner has left: killed with it, or asked to end by it, with no time to take note of that.
_UNFINISHED = (None, -signal.SIGTERM, 128 + signal.SIGTERM)
_AGENTS = ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH")  # of an agent that started this runner


class Runner:
    """One sweep, from where it stands.

    Args:
        file: what is asked.
        store: its folder, locked.
        suggestions: what to try.
        slots: what the trials run on.
        limit: how many trials there shall be in all.
        interpreter: what ``${interpreter}`` stands for.
        display: told what happens.
    """

    def __init__(
        self,
        file: SweepFile,
        store: Store,
        suggestions: Suggestions,
        slots: Slots,
        limit: int,
        interpreter: str,
        display: Display,
    ) -> None:
        self.file, self.store, self.suggestions, self.slots = file, store, suggestions, slots
        self.limit, self.interpreter, self.display = limit, interpreter, display
        self.trials = store.trials()
        self.running: dict[int, tuple[Trial, Process, Logged]] = {}  # by slot
        self.asked: list[int] = []  # signals received
        self.told = 0  # how many of them a person has been told of
        self.exhausted = False

    def run(self, lock: int) -> int:
        """Until all trials have ended.

        Args:
            lock: file descriptor that keeps other runners out, which the trials inherit.

        Returns:
            The signal that ended it early, or 0.
        """
        self._recover()
        lifeline = Lifeline(lock)
        try:
            with self._listening():
                while self._turn(lifeline):
                    time.sleep(LOOK)
        finally:
            lifeline.close()
        return self.asked[0] if self.asked else 0

    def _recover(self) -> None:
        """Decide about trials that were running when an earlier runner ended."""
        for trial in self.trials:
            if trial.state == "running" and self.store.status(trial) in _UNFINISHED:
                trial.state = "waiting"
                self.store.save(trial)
            elif trial.state in ("running", "stopping"):
                Logged(self.store.of(trial) / RUNS, self.file.metric).update(trial)
                self._conclude(trial)

    def _turn(self, lifeline: Lifeline) -> bool:
        """One look at everything; whether anything is left to do."""
        news = [self._look_at(slot) for slot in list(self.running)]
        self._stop(any(news))
        for slot in range(len(self.slots.environments)):
            if slot not in self.running and (trial := self._next()):
                self._start(trial, slot, lifeline)
        self.display.refresh(self.trials, self.limit)
        return bool(self.running)

    def _look_at(self, slot: int) -> bool:
        """Bring a trial up to date; whether it has logged anything new."""
        trial, process, logged = self.running[slot]
        ended = process.ended()
        news = logged.update(trial)
        if ended:
            del self.running[slot]
            self._conclude(trial, process.status)
        elif news:
            self.store.save(trial)
        return news

    def _conclude(self, trial: Trial, status: int = 1) -> None:
        """Say in its file how a trial has ended."""
        noted = self.store.status(trial)
        status = status if noted is None else noted
        state, reason = self._outcome(trial, status)
        if self.asked and state != "finished" and trial.state == "running":
            state, reason = "waiting", ""  # not its own doing
        trial.state, trial.reason, trial.ended = state, reason, time.time()
        self.store.save(trial)
        self.display.ended(trial, self.store.last_lines(trial) if state == "failed" else [])

    def _outcome(self, trial: Trial, status: int) -> tuple[State, str]:
        if trial.state == "stopping":
            return "stopped", ""
        if status != 0:
            return "failed", f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        if self.file.metric and self.file.metric not in trial.values:
            return "failed", f"it has logged no finite value of {self.file.metric}"
        return "finished", ""

    def _stop(self, news: bool) -> None:
        """End what has to: everything after Ctrl-C, the worst where the file says so."""
        if len(self.asked) > self.told:
            self.told = len(self.asked)
            self.display.interrupted(self.asked[-1], len(self.running), again=self.told > 1)
        doomed = set(self.suggestions.to_stop(self.trials)) if news and not self.asked else set()
        for trial, process, _ in self.running.values():
            if len(self.asked) > 1:
                process.kill()
            elif self.asked:
                process.stop()
            elif trial.number in doomed and not trial.complete:
                trial.state = "stopping"
                self.store.save(trial)
                process.stop()
                self.display.stopping(trial)

    def _next(self) -> Trial | None:
        """What to start now: first the trials that were interrupted, then new ones, while any are wanted."""
        if self.asked or self.hopeless:
            return None
        waiting = next((trial for trial in self.trials if trial.state == "waiting"), None)
        if waiting or self.exhausted or self.satisfied or len(self.trials) >= self.limit:
            return waiting
        number = next(n for n in range(1, len(self.trials) + 2) if n not in {trial.number for trial in self.trials})
        args = self.suggestions.next(self.trials, number)
        if args is None:
            self.exhausted = True
            return None
        made = Trial(number, args)
        self.trials.append(made)
        self.trials.sort(key=lambda trial: trial.number)
        return made

    @property
    def hopeless(self) -> bool:
        """Whether nothing but failures has come of the first trials."""
        final = [trial.state for trial in self.trials if trial.final]
        return len(final) >= HOPELESS and set(final) == {"failed"}

    @property
    def satisfied(self) -> bool:
        """Whether a trial has reached the target of the file."""
        if self.file.target is None or not self.file.metric:
            return False
        values = [value for trial in self.trials for value in trial.history]
        return any(value >= self.file.target if self.file.maximize else value <= self.file.target for value in values)

    def _start(self, trial: Trial, slot: int, lifeline: Lifeline) -> None:
        folder = self.store.of(trial)
        trial.command = self.file.words(trial.args, folder / ARGS, self.interpreter)
        trial.state, trial.began, trial.ended, trial.reason = "running", time.time(), None, ""
        trial.history, trial.values, trial.step = [], {}, None
        self.store.clear(trial)  # first: its old status would be taken for the new one's
        self.store.save(trial)  # before anything is started: whoever finds it running runs it again
        (folder / ARGS).write_text(json.dumps(trial.args), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name not in _AGENTS}
        environment |= {**self.slots.environments[slot], VARIABLE: str((folder / RUNS).resolve())}
        process = Process(trial.command, folder / LOG, folder / EXIT, environment, lifeline)
        self.running[slot] = trial, process, Logged(folder / RUNS, self.file.metric)
        self.display.started(trial)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Signals are noted and heeded between two looks, so that nothing is left half-done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _: FrameType | None) -> None:
            self.asked.append(number)

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
