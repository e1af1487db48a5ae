import pytest

from fit.evaluation.card import Estimate, Row
from fit.evaluation.pareto import finite, front


def row(name: str, style: float | None, flicker: float | None, kind: str = "network", flags: list[str] | None = None) -> Row:
    return Row(name, kind, {"s": Estimate(style), "f": Estimate(flicker)}, flags or [])  # type: ignore[arg-type]


def test_who_is_beaten_in_one_and_not_better_in_the_other_is_not_on_the_front() -> None:
    rows = [
        row("calm", 3, 1),
        row("beaten", 3, 2),
        row("near", 1, 3),
        row("between", 2, 2, "control"),
        row("far", 4, 4),
        row("as calm", 4, 1),
        row("as near", 1, 4),
    ]
    assert front(rows, "s", "f") == ["calm", "near", "between"]


def test_equals_do_not_beat_each_other() -> None:
    assert front([row("one", 1, 1), row("two", 1, 1)], "s", "f") == ["one", "two"]


def test_the_input_and_what_is_flagged_neither_stand_on_the_front_nor_beat_others() -> None:
    rows = [row("input", 0, 0, "input"), row("grey", 0, 0, flags=["constant"]), row("network", 1, 1)]
    assert front(rows, "s", "f") == ["network"]


@pytest.mark.parametrize("nothing", [None, float("nan"), float("-inf")])
def test_without_a_value_there_is_no_place_on_the_front(nothing: float | None) -> None:
    assert front([row("a", nothing, 0), row("b", 0, nothing), row("c", 1, 1)], "s", "f") == ["c"]
    assert finite(row("a", nothing, 0), "s") is None
    assert finite(row("a", nothing, 0), "absent") is None
    assert front([row("a", 1, 1)], "s", "absent") == []
