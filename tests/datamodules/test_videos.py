import json
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from datamodules.videos import Video, from_json, to_json, to_ticks

UNEVEN = [Fraction(1, 3), Fraction(1, 2), Fraction(5, 7)]


def test_times_become_whole_ticks_without_loss() -> None:
    ticks, unit = to_ticks(UNEVEN)
    assert unit == Fraction(1, 42)
    assert [int(tick) * unit for tick in ticks] == UNEVEN


def test_even_times_take_no_room() -> None:
    ticks, unit = to_ticks([Fraction(7, 2) + Fraction(n * 1001, 30000) for n in range(100_000)])
    assert isinstance(ticks, range)
    assert ticks[99_999] * unit == Fraction(7, 2) + Fraction(99_999 * 1001, 30000)
    assert len(pickle.dumps(ticks)) < 100
    assert to_ticks([Fraction(5)])[0][0] == 5, "a single frame"


@pytest.mark.parametrize("times", [UNEVEN, [Fraction(n, 25) for n in range(5)]])
def test_what_is_written_is_read(record: Callable[..., Video], times: list[Fraction]) -> None:
    ticks, unit = to_ticks(times)
    video = record(Path("a.mp4"), 0, "pyav", ticks=ticks, time_base=unit, entries=(0, 2), cuts=(1,), rotation=90)
    again = from_json(video.path, video.size, video.changed, json.loads(json.dumps(to_json(video))))
    assert [again.time(n) for n in range(len(times))] == times
    assert type(again.ticks) is type(video.ticks)
    assert again._replace(ticks=()) == video._replace(ticks=())


def test_what_is_incomplete_is_refused(record: Callable[..., Video]) -> None:
    kept = to_json(record(Path("a.mp4"), 3))
    for name in kept:
        with pytest.raises((KeyError, TypeError)):
            from_json(Path("a.mp4"), 0, 0, {key: value for key, value in kept.items() if key != name})


def test_the_entry_is_the_nearest_key_frame_before(record: Callable[..., Video]) -> None:
    video = record(Path("a.mp4"), 30, "pyav", entries=(0, 10, 20))
    assert [video.entry(number) for number in (0, 9, 10, 19, 29)] == [0, 0, 10, 10, 20]
    assert not video.in_order
    assert video._replace(entries=(0,)).in_order
    assert not video._replace(entries=()).in_order
    assert np.isclose(float(video.time(5)), 0.2)
