"""Flicker of each pair of frames, a line for each row."""

import math

from fit.evaluation.card import Card
from fit.evaluation.markup import Markup
from fit.evaluation.plots.axis import Axis, axis_over
from fit.evaluation.plots.frame import WIDTH, horizontal, legend, picture, vertical
from fit.evaluation.plots.look import Look, looks

_LEFT, _TOP, _BOTTOM = 62.0, 34.0, 290.0
_MARKED = 16  # pairs up to which each has a mark: their number is then seen

Series = list[tuple[int, float]]


def over_time(card: Card) -> Markup | None:
    """E_warp over the pairs of frames; None where no row has it. A pair without a value leaves a gap."""
    series = {row.name: known(row.over_time) for row in card.rows}
    series = {name: points for name, points in series.items() if points}
    if not series:
        return None
    last = max(pair for points in series.values() for pair, _ in points)
    x = Axis(1, max(last, 2), _LEFT, WIDTH - 14, least=1)
    y = axis_over([value for points in series.values() for _, value in points], _BOTTOM, _TOP, zero=True)
    drawn = {name: look for name, look in looks(card.rows).items() if name in series}
    keys, height = legend(drawn, _BOTTOM + 46, lines=True)
    parts = [
        *vertical(y, _LEFT, WIDTH - 14, _scale("flicker (E_warp)", y)),
        *horizontal(x, _BOTTOM, _BOTTOM, "pair of frames"),
        *keys,
    ]
    for name, look in drawn.items():
        parts += _drawn(look, series[name], x, y, marks=last <= _MARKED, name=name)
    about = "; ".join(f"{name} {_mean(points):.3g} on average" for name, points in series.items())
    return picture("Flicker over time", about, _BOTTOM + 46 + height + 6, *parts)


def known(values: list[float | None]) -> Series:
    """Numbers of the pairs, counted from 1, and their values, without those that are not finite."""
    return [(pair, value) for pair, value in enumerate(values, 1) if value is not None and math.isfinite(value)]


def _scale(name: str, axis: Axis) -> str:
    return f"{name}, logarithmic" if axis.logarithmic else name


def _drawn(look: Look, points: Series, x: Axis, y: Axis, *, marks: bool, name: str) -> list[Markup]:
    runs: list[Series] = []
    for point in points:
        if runs and runs[-1][-1][0] == point[0] - 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    lines = [look.line([(x.at(pair), y.at(value)) for pair, value in run]) for run in runs if len(run) > 1]
    dots = [
        look.mark(x.at(pair), y.at(value), f"{name}, pair {pair}: {value:.3g}")
        for run in runs
        for pair, value in run
        if marks or len(run) == 1
    ]
    return lines + dots


def _mean(points: Series) -> float:
    return sum(value for _, value in points) / len(points)
