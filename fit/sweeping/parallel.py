"""Parallel coordinates: an axis for each parameter and one for the metric, a line for each trial."""

from collections.abc import Callable, Sequence
from typing import Any

from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.axis import Axis, axis_over
from fit.evaluation.plots.frame import WIDTH, picture
from fit.evaluation.text import number
from fit.sweeping.parameters import Parameter
from fit.sweeping.table import ranked, short
from fit.sweeping.trial import Trial
from lightning_modules.pictures import shortened

_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, WIDTH - 54.0, 52.0, 330.0
_LONGEST = 24  # letters of a name
_MARGIN = 0.06  # of an axis
_FEW = 7  # different values that are all named
# From the best to the worst, readable on white and on black.
_COLOURS = ((0, 114, 178), (138, 143, 152), (213, 94, 0))

Ticks = list[tuple[float, str]]


def parallel(trials: Sequence[Trial], varied: Sequence[Parameter], metric: str, maximize: bool) -> Markup | None:
    """The trials that have a value of the metric; None where these are fewer than two, or nothing varies."""
    shown = [trial for trial in ranked(trials, metric, maximize) if trial.state in ("finished", "stopped")]
    shown = [trial for trial in shown if metric in trial.values]
    if len(shown) < 2 or not varied:
        return None
    step = (_RIGHT - _LEFT) / len(varied)
    columns = [_column([parameter.of(trial.args) for trial in shown], parameter) for parameter in varied]
    columns.append(_of_axis([trial.values[metric] for trial in shown], axis_over))
    names = [*(parameter.name for parameter in varied), f"{metric}, {'higher' if maximize else 'lower'} is better"]
    places = [_LEFT + n * step for n in range(len(columns))]
    parts = [tag("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="edge") for x in places]
    order = sorted(shown, key=lambda trial: trial.values[metric], reverse=maximize)
    for place, trial in reversed(list(enumerate(order))):  # the best over the others
        points = [(x, heights[shown.index(trial)]) for x, (heights, _) in zip(places, columns, strict=True)]
        parts.append(_line(trial, points, metric, place / (len(order) - 1), best=place == 0))
    for n, (x, name, (_, ticks)) in enumerate(zip(places, names, columns, strict=True)):
        parts += _axis(x, name, ticks, n, last=n == len(varied))
    about = "; ".join(f"trial {trial.number} {number(trial.values[metric])}" for trial in order)
    return picture("Parallel coordinates", about, _BOTTOM + 24, *parts)


def _column(values: list[Any], parameter: Parameter) -> tuple[list[float], Ticks]:
    """The height of each value, and the marks of the axis."""
    different = {short(value): value for value in values}
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numeric and not (parameter.discrete and len(different) <= _FEW):
        return _of_axis(values, _logarithmic if parameter.logarithmic and min(values) > 0 else _linear)
    names = [short(value) for value in sorted(different.values())] if numeric else [short(value) for value in parameter.values]
    names = [name for name in dict.fromkeys(names) if name in different]
    gap = (_BOTTOM - _TOP) / max(1, len(names) - 1)
    heights = {name: _BOTTOM - n * gap if len(names) > 1 else (_TOP + _BOTTOM) / 2 for n, name in enumerate(names)}
    return [heights[short(value)] for value in values], [(height, name) for name, height in heights.items()]


def _of_axis(values: list[float], scale: Callable[[list[float], float, float], Axis]) -> tuple[list[float], Ticks]:
    axis = scale(values, _BOTTOM, _TOP)
    return [axis.at(value) for value in values], [(axis.at(tick), axis.label(tick)) for tick in axis.ticks()]


def _linear(values: list[float], start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    room = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
    return Axis(low - room, high + room, start, end)


def _logarithmic(values: list[float], start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    room = (high / low) ** _MARGIN if high > low else 2.0
    return Axis(low / room, high * room, start, end, logarithmic=True)


def _axis(x: float, name: str, ticks: Ticks, number: int, last: bool) -> list[Markup]:
    """The marks of an axis and its name; names take turns on two lines, for they are longer than axes are apart."""
    anchor = "end" if last else "start" if number == 0 else "middle"
    place = {"start": 4.0, "end": WIDTH - 4.0, "middle": x}[anchor]
    side = 1 if last else -1  # where no lines are
    parts = []
    for y, label in ticks:
        text, beside = shortened(label, 16), "start" if last else "end"
        parts.append(tag("line", x1=x, x2=x + 4 * side, y1=y, y2=y, class_="edge"))
        parts.append(tag("text", text, x=x + 7 * side, y=y + 4, text_anchor=beside, class_="tick"))
    y = _TOP - 32.0 if number % 2 == 0 else _TOP - 14.0
    text = shortened(name, _LONGEST + 12 if last else _LONGEST)
    return [*parts, tag("text", tag("title", name), text, x=place, y=y, text_anchor=anchor, class_="axis")]


def _line(trial: Trial, points: list[tuple[float, float]], metric: str, badness: float, best: bool) -> Markup:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    stopped = ", stopped early" if trial.state == "stopped" else ""
    return tag(
        "polyline",
        tag("title", f"trial {trial.number}: {metric} {number(trial.values[metric])}{stopped}"),
        points=path,
        fill="none",
        stroke=colour(badness),
        stroke_width=4.0 if best else 1.5,
        stroke_dasharray="3 3" if stopped else None,
    )


def colour(badness: float) -> str:
    """Between blue for the best (0) and orange for the worst (1)."""
    first, second = (_COLOURS[0], _COLOURS[1]) if badness < 0.5 else (_COLOURS[1], _COLOURS[2])
    part = badness * 2 % 1 if badness < 1 else 1.0
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(first, second, strict=True))
