from typing import Any

import pytest

from fit.sweeping.parameters import grid_size, parameters, probes
from fit.sweeping.suggest import Suggestions
from fit.sweeping.trial import Trial

pytest.importorskip("sweeps.run", reason="the extra sweeps is not installed")
EVERY: dict[str, Any] = {
    "constant": {"value": [1, None]},
    "choice": {"values": ["a", True, 1e-05]},
    "whole": {"min": 2, "max": 5},
    "real": {"min": 0.5, "max": 2.0},
    "log": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
    "inverse": {"distribution": "inv_log_uniform_values", "min": 1e-5, "max": 1e-1},
    "steps": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25},
    "bell": {"distribution": "normal", "mu": 10, "sigma": 1},
    "model": {"parameters": {"deep": {"parameters": {"x": {"values": [1, 2]}}}}},
}


def test_every_distribution_has_its_values_or_ends() -> None:
    found = {parameter.name: parameter for parameter in parameters({"parameters": EVERY})}
    assert found["constant"].values == [[1, None]]
    assert found["choice"].values == ["a", True, 1e-05]
    assert found["whole"].values == [2, 5]
    assert found["real"].values == pytest.approx([0.5, 2.0])
    assert found["log"].values == pytest.approx([1e-5, 1e-1])
    assert found["inverse"].values == pytest.approx([1e-5, 1e-1])
    assert found["steps"].values == [0, 1]
    assert found["bell"].values == pytest.approx([10 - 2.326, 10 + 2.326], abs=1e-3)  # of the standard normal's tables
    assert found["model.deep.x"].values == [1, 2]
    assert {name for name, parameter in found.items() if parameter.discrete} == {"constant", "choice", "model.deep.x"}
    assert {name for name, parameter in found.items() if parameter.logarithmic} == {"log", "inverse"}


def test_probes_reach_every_value() -> None:
    made = probes({"parameters": EVERY})
    assert len(made) == 3
    for parameter in parameters({"parameters": EVERY}):
        seen = [parameter.of(args) for args in made]
        assert all(value in seen for value in parameter.values), parameter.name
    assert made[0]["model"] == {"deep": {"x": 1}}


@pytest.mark.parametrize(
    "given",
    [
        {"a": {"values": [1, 2, 3]}, "b": {"values": [True, 1, "1", None]}, "c": {"value": 5}},
        {"a": {"values": [1, 1, 2]}},
        {"a": {"min": 2, "max": 5}, "b": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.3}},
        {"m": {"parameters": {"a": {"values": [1, 2]}, "b": {"values": [1, 2]}}}, "c": {"values": [1, 2]}},
    ],
)
def test_a_grid_is_as_large_as_what_the_library_suggests(given: dict[str, Any]) -> None:
    suggestions, trials = Suggestions({"method": "grid", "parameters": given}, 0), list[Trial]()
    while (args := suggestions.next(trials, len(trials) + 1)) is not None:
        trials.append(Trial(len(trials) + 1, args, state="finished"))
    assert len(trials) == grid_size({"parameters": given})
