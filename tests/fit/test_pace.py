"""Percentiles of times, from counts."""

import numpy as np
import pytest

from fit.pace import Pace


@pytest.mark.parametrize("count", [1, 2, 19, 20, 1000])
@pytest.mark.parametrize("percent", [1, 50, 95, 100])
def test_percentiles_are_those_by_nearest_rank(count: int, percent: int) -> None:
    seconds, pace = np.random.default_rng(count).gamma(2, 0.01, count), Pace()
    for value in seconds:
        pace.add(float(value))
    expected = np.percentile(1000 * seconds, percent, method="inverted_cdf")
    assert pace.percentile(percent) == pytest.approx(expected, abs=0.051)


def test_what_is_held_does_not_grow_with_the_frames() -> None:
    pace = Pace()
    for n in range(10_000):
        pace.add(0.01 + n % 7 * 1e-5)
    assert len(pace.times) <= 3
    assert str(pace).startswith("p50 10.0 ms, p95 10.1 ms")


def test_no_frame_has_no_pace() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        Pace().percentile(50)
