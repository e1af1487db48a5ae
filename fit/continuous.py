"""Decoded sound on a clock of its samples: no holes and no overlaps, whatever clocks and paddings joined files come with.

Encoders take samples as they come and hold on to the first clock they are given. Files count time in units of their own, often
milliseconds, and the sound of one may last a packet longer than its picture, into the next.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

SLACK = Fraction(1, 100)  # seconds by which times may lie off: less is how files round them, and is not heard
SILENCE = 1 << 16  # samples written at once to fill a hole


class Continuous:
    """Puts frames of one format, layout and rate one behind the other; of each sample, the channels lie side by side (packed).

    Args:
        rate: samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._end: int | None = None  # the sample behind the last

    def __call__(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """What to encode for a frame: silence up to it where there is a hole, and of it what lies behind the last one's end.

        Args:
            frame: its time in any unit; without one it follows the last.

        Yields:
            Frames with times in samples, each beginning where the one before ended.
        """
        start = self._end or 0
        if frame.pts is not None and frame.time_base is not None:
            start = round(frame.pts * frame.time_base * self._rate)
        if self._end is None:
            self._end = start
        apart = start - self._end
        if abs(apart) <= SLACK * self._rate:
            yield self._placed(frame)
        elif apart > 0:
            for begin in range(0, apart, SILENCE):
                yield self._placed(_silence(frame, min(SILENCE, apart - begin)))
            yield self._placed(frame)
        elif -apart < frame.samples:
            yield self._placed(_without_start(frame, -apart))

    def _placed(self, frame: AudioFrame) -> AudioFrame:
        frame.pts, frame.time_base = self._end, Fraction(1, self._rate)
        self._end = (self._end or 0) + frame.samples
        return frame


def _silence(like: AudioFrame, samples: int) -> AudioFrame:
    """As many samples of silence, in the format of another frame."""
    return _as(like, np.zeros((1, samples * like.layout.nb_channels), like.to_ndarray().dtype))


def _without_start(frame: AudioFrame, samples: int) -> AudioFrame:
    """A frame less its first samples."""
    return _as(frame, np.ascontiguousarray(frame.to_ndarray()[:, samples * frame.layout.nb_channels :]))


def _as(like: AudioFrame, values: NDArray[Any]) -> AudioFrame:
    """Samples as a frame, in the format, layout and rate of another."""
    frame = AudioFrame.from_ndarray(values, format=like.format.name, layout=like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame
