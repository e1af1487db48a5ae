"""Values to places on an axis, with ticks at round numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_TICKS = 5  # about so many
_WIDE = 20.0  # values this many times apart are easier to tell on a logarithmic axis
_MARGIN = 0.06  # of the length, so that no point lies on the edge


@dataclass(frozen=True)
class Axis:
    """From values to places.

    Args:
        low, high: values at the ends, low < high; both > 0 where it is logarithmic.
        start, end: places of the ends in pixels; the end may be the smaller.
        logarithmic: equal distances are equal ratios.
        least: ticks of a linear axis are no closer than this.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    least: float = 0.0

    def at(self, value: float) -> float:
        """The place of a value; values beyond an end are drawn at it."""
        value = min(max(value, self.low), self.high)
        low, high, value = (math.log(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers within the axis, ascending."""
        if not self.logarithmic:
            return _multiples(self.low, self.high, self._step())
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
            ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
            within = [tick for tick in ticks if self.low <= tick <= self.high]
            if len(within) >= _TICKS - 2:
                break
        return within

    def label(self, tick: float) -> str:
        """A tick as text: "0.25", "150", "3e-05"."""
        if self.logarithmic or tick == 0:
            return f"{tick:g}"
        step = self._step()
        return f"{tick:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}" if step >= 1e-4 else f"{tick:.1e}"

    def _step(self) -> float:
        return _round_step(max((self.high - self.low) / _TICKS, self.least))


def axis_over(values: Iterable[float], start: float, end: float, *, zero: bool = False) -> Axis:
    """An axis on which these values have room.

    Args:
        values: finite; at least one.
        start: place of the low end in pixels.
        end: place of the high end.
        zero: begin at 0, unless the axis is logarithmic, which it is for positive values far apart.
    """
    known = sorted(values)
    low, high = known[0], known[-1]
    if low > 0 and high / low > _WIDE:
        room = (high / low) ** _MARGIN
        return Axis(low / room, high * room, start, end, logarithmic=True)
    low = min(low, 0.0) if zero else low
    room = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
    return Axis(low if zero and low == 0 else low - room, high + room, start, end)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [round(count * step, 12) for count in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
