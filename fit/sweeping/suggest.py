"""What to try next and which trials to stop: asked of ``sweeps``, the library behind W&B's own sweeps.

It works on any platform here, but was written for older ones: its models drop histories that are given to their constructors,
values come as NumPy scalars, and a grid over nested parameters would never end, for it does not find its own suggestions again.
"""

import importlib
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from fit.sweeping.trial import State, Trial

Config = dict[str, Any]

# States of W&B. It calls a run that hyperband has ended killed; for those its bayes search imputes a value.
_STATES: dict[State, str] = {
    "waiting": "pending",
    "running": "running",
    "stopping": "killed",
    "finished": "finished",
    "stopped": "killed",
    "failed": "failed",
}


def library() -> Any:
    """The package ``sweeps``.

    Raises:
        ValueError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its models are those of pydantic 1, which pydantic 2 remarks on
            found = importlib.import_module("sweeps")
            importlib.import_module("sweeps.params")
            return found
    except (ImportError, AttributeError) as error:  # a folder of this name has nothing in it
        raise ValueError(
            f"expected the package sweeps, got none ({error}); pip install 'fit-video-style[sweeps]' brings it"
        ) from error


class Suggestions:
    """Of one sweep.

    A suggestion is drawn by seed and number of the trial, not by what was drawn before: random ones are the same in whatever
    order trials end, and after any interruption. Those of bayes follow from the trials so far, too.

    Args:
        config: the sweep file.
        seed: of all draws.
    """

    def __init__(self, config: Config, seed: int) -> None:
        self.config = {key: value for key, value in config.items() if key != "run_cap"}
        self.metric: str | None = config.get("metric", {}).get("name")
        self.seed = seed
        self.sweeps = library()

    def next(self, trials: Sequence[Trial], number: int) -> dict[str, Any] | None:
        """The suggestion for the trial of this number; None where a grid has no more.

        Raises:
            ValueError: the library cannot make any of this file.
        """
        with _drawing(f"{self.seed}/{number}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits to few points
            run = self.sweeps.next_run(self.config, [self._run(trial) for trial in trials])
        return None if run is None else {name: plain(given["value"]) for name, given in run.config.items()}

    def to_stop(self, trials: Sequence[Trial]) -> list[int]:
        """Numbers of the running trials that hyperband ends now, if the file asks for it."""
        if "early_terminate" not in self.config or not any(trial.state == "running" for trial in trials):
            return []
        return [int(run.name) for run in self.sweeps.stop_runs(self.config, [self._run(trial) for trial in trials])]

    def _run(self, trial: Trial) -> Any:
        values = {name: {"value": value} for name, value in trial.args.items()}
        nested = {name: {"value": value} for name, value in self._flat(trial.args)}
        made = self.sweeps.SweepRun(name=str(trial.number), config=values | nested, state=_STATES[trial.state])
        if self.metric:
            made.history = [{self.metric: value} for value in trial.history]
            made.summary_metrics = {self.metric: trial.history[-1]} if trial.history else {}
        return made

    def _flat(self, args: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Parameters within parameters, under the names the library has for them."""
        between = self.sweeps.params.HyperParameterSet.NESTING_DELIMITER
        for name, value in args.items():
            if isinstance(value, dict):
                yield from self._flat(value, f"{prefix}{name}{between}")
            elif prefix:
                yield prefix + name, value


def plain(value: Any) -> Any:
    """A value as JSON has it: no scalars of NumPy."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case np.generic() | np.ndarray():
            return value.tolist()
    return deepcopy(value)


@contextmanager
def _drawing(seed: str) -> Iterator[None]:
    """The library draws from the two global generators: from a seed, which leaves them as they were."""
    state, numpys = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(random.getrandbits(32))
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpys)
