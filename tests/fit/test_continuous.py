"""Sound on a clock of its samples: holes become silence, overlaps are cut, rounded times are not heard."""

from fractions import Fraction

import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout

from fit.continuous import Continuous

RATE = 8000


def frame(first: int, samples: int, time: Fraction | None, format: str = "s16", layout: str = "stereo") -> AudioFrame:
    """Samples first, first + 1, ... in every channel, at a time in milliseconds' units."""
    ramp = np.arange(first, first + samples, dtype=np.float32 if format == "flt" else np.int16)
    values = np.repeat(ramp, AudioLayout(layout).nb_channels)[None]
    made = AudioFrame.from_ndarray(values, format=format, layout=layout)
    made.sample_rate = RATE
    if time is not None:
        made.pts, made.time_base = round(time * 1000), Fraction(1, 1000)
    return made


def put(frames: list[AudioFrame]) -> tuple[int, list[float]]:
    """Where it begins, in samples, and the samples of the last channel; every frame begins where the last ended."""
    continuous, begin, heard = Continuous(RATE), None, []
    for part in (part for one in frames for part in continuous(one)):
        begin = part.pts if begin is None else begin
        assert (part.pts, part.time_base) == (begin + len(heard), Fraction(1, RATE))
        heard += part.to_ndarray()[0, part.layout.nb_channels - 1 :: part.layout.nb_channels].tolist()
    assert begin is not None
    return begin, heard


@pytest.mark.parametrize("layout", ["mono", "stereo", "7.1"])
@pytest.mark.parametrize("format", ["s16", "flt"])
def test_holes_become_silence_and_overlaps_are_cut(format: str, layout: str) -> None:
    first = frame(1, 800, Fraction(1, 2), format, layout)  # to 0.6 s
    late = frame(1001, 800, Fraction(7, 10), format, layout)  # a tenth of a second of nothing, then to 0.8 s
    early = frame(2001, 800, Fraction(3, 4), format, layout)  # its first half lies within the one before
    begin, heard = put([first, late, early])
    assert begin == RATE // 2
    assert heard == [*range(1, 801), *[0] * 800, *range(1001, 1801), *range(2401, 2801)]


def test_what_lies_within_the_last_one_is_left_out() -> None:
    assert put([frame(1, 800, Fraction(0)), frame(5000, 80, Fraction(1, 20)), frame(801, 8, None)])[1] == [*range(1, 809)]


def test_times_rounded_to_milliseconds_change_nothing() -> None:
    pieces = [frame(1 + 100 * n, 100, Fraction(100 * n, RATE)) for n in range(50)]  # 12.5 ms each
    assert put(pieces) == (0, [*range(1, 5001)])


def test_a_long_hole_is_filled_and_an_offset_at_the_start_kept() -> None:
    begin, heard = put([frame(1, 8, Fraction(-1, 10)), frame(9, 8, Fraction(20))])
    assert begin == -RATE // 10
    assert len(heard) == RATE * 20 + RATE // 10 + 8
    assert heard[8:-8] == [0] * (len(heard) - 16)
