import math

import pytest

from lightning_modules.metrics.score import WORST, score


def test_is_one_for_the_unpainted_input_and_none_for_the_style_in_motion() -> None:
    assert score(0.5, 0.5, 0.3) == 1.0
    assert score(0.0, 0.5, 1.0) == 0.0


def test_adds_what_is_left_of_the_way_to_the_style_and_what_is_added_in_flicker() -> None:
    assert score(0.2, 0.5, 1.75) == pytest.approx(0.4 + 0.75)


def test_falls_with_the_style_distance() -> None:
    scores = [score(style, 0.5, 1.5) for style in (0.0, 0.1, 0.2, 0.4, 0.8)]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_falls_with_the_flicker_down_to_that_of_the_paintings_and_no_further() -> None:
    scores = [score(0.2, 0.5, added) for added in (0.0, 0.5, 1.0, 1.1, 2.0, 5.0)]
    assert scores[0] == scores[1] == scores[2]
    assert scores[2:] == sorted(scores[2:])
    assert len(set(scores[2:])) == 4


def test_single_frames_are_scored_by_style_alone() -> None:
    assert score(0.2, 0.5, None) == score(0.2, 0.5, 0.0) == 0.4


@pytest.mark.parametrize("flag", ["constant", "identity", "frozen", "blurred"])
def test_a_cheat_scores_worst(flag: str) -> None:
    assert score(0.0, 0.5, 0.0, [flag]) == WORST


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_scores_worst_and_never_nan(bad: float) -> None:
    assert score(bad, 0.5, 1.0) == score(0.2, 0.5, bad) == score(0.2, bad, 1.0) == WORST


def test_nothing_scores_worse_than_worst() -> None:
    assert score(1e9, 0.5, 1.0) == score(0.2, 0.5, 1e9) == score(1.0, 0.0, 1.0) == WORST
    assert math.isfinite(WORST)
