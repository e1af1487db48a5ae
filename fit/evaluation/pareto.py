"""Which painters no other beats in style and flicker at once."""

import math
from collections.abc import Sequence

from fit.evaluation.card import Row


def front(rows: Sequence[Row], style: str, flicker: str) -> list[str]:
    """Names of the rows on the Pareto front, in the order given.

    A row is beaten by one that is at least as low in both values and lower in one. The input does not compete, for it has no
    flicker of its own, nor does a row with flags, for a cheat is low for free, nor one without both values.

    Args:
        rows: of a card.
        style: key of a value; lower is better.
        flicker: key of the other; lower is better.
    """
    points = {row.name: (finite(row, style), finite(row, flicker)) for row in rows if row.kind != "input" and not row.flags}
    known = {name: (x, y) for name, (x, y) in points.items() if x is not None and y is not None}
    return [name for name, mine in known.items() if not any(_beats(other, mine) for other in known.values())]


def finite(row: Row, key: str) -> float | None:
    """A value of the row; None where it has none, or none that is finite."""
    value = row.values[key].value if key in row.values else None
    return value if value is not None and math.isfinite(value) else None


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]
