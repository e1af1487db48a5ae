import math

import pytest

from lightning_modules.metrics.score import WORST, score


def test_is_one_for_the_unpainted_input_and_none_for_the_style_in_motion() -> None:
    assert score(0.5, 0.5, 1.0, 3.0) == 1.0
    assert score(0.0, 0.5, 4.0, 3.0) == 0.0  # the input's own flicker, and that of the paintings


def test_adds_what_is_left_of_the_way_to_the_style_and_the_flicker_beyond_the_paintings() -> None:
    assert score(0.2, 0.5, 7.0, 3.0) == pytest.approx(0.4 + ((7 - 1) / 3 - 1))


def test_falls_with_the_style_distance() -> None:
    scores = [score(style, 0.5, 5.0, 3.0) for style in (0.0, 0.1, 0.2, 0.4, 0.8)]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_falls_with_the_flicker_down_to_that_of_the_paintings_and_no_further() -> None:
    scores = [score(0.2, 0.5, flicker, 3.0) for flicker in (0.0, 1.0, 4.0, 4.1, 5.0, 20.0)]
    assert scores[0] == scores[1] == scores[2]
    assert scores[2:] == sorted(scores[2:])
    assert len(set(scores[2:])) == 4


def test_noise_that_only_the_content_has_does_not_hide_added_flicker() -> None:
    # Relative warping errors: content 1, paintings 3, a painted clip 10; sensor noise adds as much to content and painted clip.
    charged = [score(0.0, 0.5, (10 + noise) / (1 + noise), 3 / (1 + noise), ()) for noise in (0.0, 1.0, 20.0)]
    assert charged == pytest.approx([2.0] * 3)


def test_single_frames_are_scored_by_style_alone() -> None:
    assert score(0.2, 0.5, None, math.nan) == 0.4


@pytest.mark.parametrize("flag", ["constant", "identity", "frozen", "blurred"])
def test_a_cheat_scores_worst(flag: str) -> None:
    assert score(0.0, 0.5, 0.0, 3.0, [flag]) == WORST


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_scores_worst_and_never_nan(bad: float) -> None:
    good = [0.2, 0.5, 1.0, 3.0]
    for place in range(4):
        assert score(*(bad if number == place else value for number, value in enumerate(good))) == WORST


def test_nothing_scores_worse_than_worst() -> None:
    assert score(1e9, 0.5, 1.0, 3.0) == score(0.2, 0.5, 1e9, 3.0) == score(1.0, 0.0, 1.0, 3.0) == WORST
    assert math.isfinite(WORST)


def test_a_style_that_stands_still_allows_no_flicker() -> None:
    assert score(0.2, 0.5, 1.0, 0.0) == 0.4
    assert score(0.2, 0.5, 1.1, 0.0) == WORST
