"""Style against flicker: each row a point with its intervals, and the front that nothing beats."""

import math
from itertools import pairwise

from fit.evaluation.card import Card, Column, Estimate
from fit.evaluation.markup import Markup, tag
from fit.evaluation.pareto import finite
from fit.evaluation.plots.axis import Axis, axis_over
from fit.evaluation.plots.frame import LETTER, WIDTH, horizontal, picture, vertical
from fit.evaluation.plots.labels import Box, place
from fit.evaluation.plots.look import looks
from fit.evaluation.text import number
from lightning_modules.pictures import shortened

_LEFT, _TOP, _RIGHT, _BOTTOM = 62.0, 34.0, WIDTH - 14.0, 530.0
_LONGEST = 26  # letters of a name

Ends = tuple[float, float]


def tradeoff(card: Card) -> Markup | None:
    """The two columns of ``card.axes``, lower being better in both; None where fewer than two rows have both values."""
    columns = {column.key: column for column in card.columns}
    if len(card.axes) != 2 or not columns.keys() >= set(card.axes):
        return None
    style, flicker = (columns[key] for key in card.axes)
    points = {row.name: (finite(row, style.key), finite(row, flicker.key)) for row in card.rows}
    values = {name: (x, y) for name, (x, y) in points.items() if x is not None and y is not None}
    if len(values) < 2:
        return None
    ends = {row.name: tuple(_ends(row.values.get(c.key)) for c in (style, flicker)) for row in card.rows if row.name in values}
    x = axis_over(_reach(values, ends, 0), _LEFT, _RIGHT)
    y = axis_over(_reach(values, ends, 1), _BOTTOM, _TOP)
    places = {name: (x.at(at[0]), y.at(at[1])) for name, at in values.items()}
    about = "; ".join(f"{name} {number(at[0])} and {number(at[1])}" for name, at in values.items())
    drawn = [*vertical(y, _LEFT, _RIGHT, _name(flicker, y)), *horizontal(x, _BOTTOM, _TOP, _name(style, x))]
    whiskers = _whiskers(places, ends, x, y)
    drawn += [*_intervals(card, whiskers), *_front(card, places), *_marks(card, places, values)]
    drawn += _names(card, places, [box for boxes in whiskers.values() for box in boxes])
    return picture(f"{style.name} against {flicker.name}", about, _BOTTOM + 46, *drawn)


def _ends(estimate: Estimate | None) -> Ends | None:
    """Both ends of the interval, if it has any."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return (estimate.low, estimate.high) if math.isfinite(estimate.low + estimate.high) else None


def _reach(values: dict[str, Ends], ends: dict[str, tuple[Ends | None, ...]], axis: int) -> list[float]:
    """Everything an axis has to show: the values, and the ends of their intervals."""
    return [at[axis] for at in values.values()] + [end for pair in ends.values() for end in pair[axis] or ()]


def _name(column: Column, axis: Axis) -> str:
    return f"{column.name}, lower is better" + (", logarithmic" if axis.logarithmic else "")


def _whiskers(places: dict[str, Ends], ends: dict[str, tuple[Ends | None, ...]], x: Axis, y: Axis) -> dict[str, list[Box]]:
    """The intervals of each row as boxes without a width or a height."""
    boxes: dict[str, list[Box]] = {}
    for name, (across, along) in ends.items():
        here, there = places[name]
        horizontal = [Box(x.at(across[0]), there, x.at(across[1]), there)] if across else []
        boxes[name] = horizontal + ([Box(here, y.at(along[1]), here, y.at(along[0]))] if along else [])
    return boxes


def _intervals(card: Card, whiskers: dict[str, list[Box]]) -> list[Markup]:
    look = looks(card.rows)
    return [
        tag("line", x1=box.left, x2=box.right, y1=box.top, y2=box.bottom, class_=f"whisker {look[name].colour}")
        for name, boxes in whiskers.items()
        for box in boxes
    ]


def _front(card: Card, places: dict[str, Ends]) -> list[Markup]:
    """Stairs: right of and above them everything is beaten."""
    corners = sorted(places[name] for name in card.front if name in places)
    if not corners:
        return []
    path = f"M{corners[0][0]:.1f} {_TOP}" + "".join(f"V{y:.1f}H{x:.1f}" for (_, y), (x, _) in pairwise(corners))
    return [tag("path", d=f"{path}V{corners[-1][1]:.1f}H{_RIGHT}", class_="front")]


def _marks(card: Card, places: dict[str, Ends], values: dict[str, Ends]) -> list[Markup]:
    look = looks(card.rows)
    return [
        look[name].mark(*at, f"{name}: {number(values[name][0])}, {number(values[name][1])}") for name, at in places.items()
    ]


def _names(card: Card, places: dict[str, Ends], whiskers: list[Box]) -> list[Markup]:
    """Names beside the marks, with a line to the mark where there was no room near it."""
    look = looks(card.rows)
    texts = [shortened(name, _LONGEST) for name in places]
    area = Box(_LEFT + 2, _TOP, _RIGHT, _BOTTOM - 2)
    boxes = place(list(places.values()), [len(text) * LETTER for text in texts], area, whiskers)
    parts = []
    for text, name, box in zip(texts, places, boxes, strict=True):
        middle = (box.left + box.right) / 2
        if box.detached:
            edge = box.top if box.top > box.point[1] else box.bottom
            parts.append(tag("line", x1=box.point[0], y1=box.point[1], x2=middle, y2=edge, class_="lead-line"))
        parts.append(
            tag(
                "text",
                tag("title", name),
                text,
                x=middle,
                y=box.bottom - 4,
                text_anchor="middle",
                class_=f"tinted {look[name].colour}",
            )
        )
    return parts
