import math
import random

import numpy as np
import pytest

from fit.sweeping.importance import _ranks, bars, importance
from fit.sweeping.parameters import Parameter
from fit.sweeping.trial import Trial

pytest.importorskip("sklearn", reason="the extra sweeps is not installed")
NAMES = ("lr", "noise", "kind", "same")
VARIED = [Parameter((name,), [0, 1], discrete=False, logarithmic=False) for name in NAMES]


def trials(count: int = 60) -> list[Trial]:
    """The metric falls with lr, by decades, and depends on the kind a little; an outlier or two does not matter."""
    draw = random.Random(0)
    made = []
    for number in range(1, count + 1):
        args = {"lr": 10 ** draw.uniform(-5, -1), "noise": draw.random(), "kind": draw.choice(["a", None, [1]]), "same": 3}
        loss = -math.log10(args["lr"]) + 0.5 * (args["kind"] is None)
        made.append(Trial(number, args, state="finished", values={"loss": loss if number > 1 else 1e9}))
    return made


def test_what_decides_is_found_with_its_direction() -> None:
    found = importance(trials(), VARIED, "loss")
    assert found is not None
    assert list(found.shares) == ["lr", "kind", "noise"]
    assert found.shares["lr"] > 0.75
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.trends["lr"] < -0.8
    assert abs(found.trends["noise"]) < 0.3
    assert "kind" not in found.trends, "it has no order"
    assert found.fit > 0.7
    assert found.trials == 60
    assert found == importance(trials(), VARIED, "loss"), "the same every time"


def test_where_nothing_decides_the_fit_says_so() -> None:
    made = trials(30)
    for trial in made:
        trial.values["loss"] = random.Random(trial.number).random()
    found = importance(made, VARIED, "loss")
    assert found is not None
    assert found.fit < 0.2


def test_too_few_trials_or_no_difference_say_nothing() -> None:
    assert importance(trials(5), VARIED, "loss") is None
    assert importance(trials(20), [VARIED[3]], "loss") is None
    flat = trials(20)
    for trial in flat:
        trial.values["loss"] = 1.0
    assert importance(flat, VARIED, "loss") is None
    failed = trials(20)
    for trial in failed[4:]:
        trial.state = "failed"
    assert importance(failed, VARIED, "loss") is None


def test_equal_values_share_a_rank() -> None:
    np.testing.assert_array_equal(_ranks([10, 3, 3, 1000, 3]), [3, 1, 1, 4, 1])


def test_each_parameter_has_a_bar_as_long_as_its_share() -> None:
    found = importance(trials(), VARIED, "loss")
    assert found is not None
    drawn = bars(found)
    assert drawn.count("<rect") == 3
    assert f"{found.shares['lr']:.0%}, rank correlation {found.trends['lr']:+.2f}" in drawn
