import itertools
import json
import random
from typing import Any

import numpy as np
import pytest

from fit.sweeping.suggest import Suggestions, plain
from fit.sweeping.trial import State, Trial

pytest.importorskip("sweeps.run", reason="the extra sweeps is not installed")
METRIC = {"name": "loss", "goal": "minimize"}


def drawn(config: dict[str, Any], count: int, seed: int = 0) -> list[dict[str, Any] | None]:
    """Suggestions one after the other, each tried with success."""
    trials: list[Trial] = []
    made = Suggestions(config, seed)
    for number in range(1, count + 1):
        args = made.next(trials, number)
        if args is None:
            return [trial.args for trial in trials] + [None]
        trials.append(Trial(number, args, state="finished", history=[1.0]))
    return [trial.args for trial in trials]


def test_a_grid_is_the_product_once_and_ends() -> None:
    values = {"a": [1, 2, 3], "b": [True, False, None], "c": ["x", 1e-05, [1, 2]]}
    found = drawn({"method": "grid", "parameters": {name: {"values": each} for name, each in values.items()}}, 100)
    expected = [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]
    assert found == [*expected, None]


def test_a_grid_over_nested_parameters_ends_too() -> None:
    inner = {"x": {"values": [1, 2]}, "more": {"parameters": {"y": {"values": ["p", "q"]}}}}
    found = drawn({"method": "grid", "parameters": {"a": {"value": 7}, "model": {"parameters": inner}}}, 100)
    expected = [{"a": 7, "model": {"more": {"y": y}, "x": x}} for y in ("p", "q") for x in (1, 2)]
    assert found[-1] is None
    assert sorted(json.dumps(args, sort_keys=True) for args in found[:-1]) == sorted(map(json.dumps, expected))


RANGES = {
    "r": {"min": 0.5, "max": 1.5},
    "log": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
    "whole": {"min": 2, "max": 5},
    "steps": {"distribution": "q_uniform", "min": 0, "max": 10, "q": 5},
    "choice": {"values": ["a", None, False]},
    "often": {"values": ["a", "b"], "probabilities": [0.999, 0.001]},
    "fixed": {"value": 3},
}


def test_random_draws_are_plain_values_within_their_ranges() -> None:
    found = [args for args in drawn({"method": "random", "parameters": RANGES}, 60) if args]
    assert len(found) == 60
    for args in found:
        assert [type(args[name]) for name in ("r", "log", "whole")] == [float, float, int]
        assert 0.5 <= args["r"] <= 1.5
        assert 1e-5 <= args["log"] <= 1e-1
        assert 2 <= args["whole"] <= 5
        assert args["steps"] in (0, 5, 10)
        assert type(args["steps"]) in (int, float)
        assert args["fixed"] == 3
    assert {args["choice"] for args in found} == {"a", None, False}
    assert sum(args["log"] < 1e-3 for args in found) in range(15, 46), "half of the decades, half of the draws"


def test_draws_follow_from_the_seed_and_the_number_alone() -> None:
    config = {"method": "random", "parameters": RANGES}
    first = drawn(config, 5)
    state = random.getstate(), np.random.get_state()[1].tolist()
    assert drawn(config, 5) == first
    assert Suggestions(config, 0).next([], 4) == first[3], "whatever was drawn before"
    assert drawn(config, 5, seed=1) != first
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state, "nobody else's draws change"


def test_bayes_comes_near_the_minimum_and_repeats() -> None:
    config = {"method": "bayes", "metric": METRIC, "parameters": {"x": {"min": -4.0, "max": 4.0}}}

    def search(seed: int) -> list[float]:
        made, trials = Suggestions(config, seed), [Trial(1, {"x": 3.5}, state="finished", history=[20.0, 3.5**2])]
        for number in range(2, 16):
            args = made.next(trials, number)
            assert args is not None
            assert type(args["x"]) is float
            trials.append(Trial(number, args, state="finished", history=[args["x"] ** 2]))
        return [trial.args["x"] for trial in trials]

    found = search(0)
    assert min(map(abs, found)) < 0.1
    assert sum(abs(x) < 1 for x in found[4:]) > 4, "a uniform draw has a quarter of them there"
    assert search(0) == found


def test_bayes_goes_on_beside_trials_that_run_failed_or_were_stopped() -> None:
    config = {"method": "bayes", "metric": METRIC, "parameters": {"x": {"min": -4.0, "max": 4.0}}}
    states: list[State] = ["finished", "failed", "stopped", "running", "waiting", "finished"]
    trials = [Trial(n, {"x": n / 2}, state=state, history=[1.0 * n] if n % 2 else []) for n, state in enumerate(states, 1)]
    args = Suggestions(config, 0).next(trials, 7)
    assert args is not None
    assert -4 <= args["x"] <= 4


def hyperband(*histories: list[float], goal: str = "minimize", **rule: Any) -> list[int]:
    config = {
        "method": "random",
        "metric": {"name": "loss", "goal": goal},
        "early_terminate": {"type": "hyperband", **rule},
        "parameters": {"x": {"value": 1}},
    }
    trials = [Trial(n, {"x": 1}, state="running", history=history) for n, history in enumerate(histories, 1)]
    return Suggestions(config, 0).to_stop(trials)


def test_hyperband_ends_what_is_worse_than_the_best_third_at_a_band() -> None:
    # Bands 2, 6, ...: the third value decides first, against the best third of those that have one.
    good, better, bad = [9.0, 5.0, 2.0], [9.0, 4.0, 1.0], [9.0, 8.5, 8.0]
    assert hyperband(good, better, bad, min_iter=2, eta=3) == [3]
    assert hyperband(good, better, bad[:2], min_iter=2, eta=3) == [1], "of two, the better one stays"
    assert hyperband(good[:2], better, bad[:2], min_iter=2, eta=3) == [], "none has a third value to compare with"
    assert hyperband(*([-value for value in each] for each in (good, better, bad)), goal="maximize", min_iter=2, eta=3) == [3]


def test_nothing_is_stopped_where_the_file_does_not_ask() -> None:
    made = Suggestions({"method": "random", "metric": METRIC, "parameters": {"x": {"value": 1}}}, 0)
    assert made.to_stop([Trial(1, {"x": 1}, state="running", history=[1.0]), Trial(2, {"x": 1}, history=[0.0])]) == []


def test_plain_values_have_pythons_types() -> None:
    given = {"a": np.float64(0.1), "b": [np.int64(3), (np.bool_(True), None)], "c": np.arange(2)}
    assert plain(given) == {"a": 0.1, "b": [3, [True, None]], "c": [0, 1]}
    assert type(plain(given)["a"]) is float
    assert type(plain(given)["b"][1][0]) is bool
