"""Values, intervals and facts as a person reads them, the same in every file of a card."""

import math

from fit.evaluation.card import Column, Estimate, Fact, Row

MISSING = "–"
ARROWS = {"lower": "↓", "higher": "↑", "neither": ""}


def number(value: float | None, digits: int = 3) -> str:
    """A value with so many decimals; fewer from 10 on, because nobody reads 150.123, and two digits of what these would hide.

    Returns:
        "0.241", "24.31", "150.1", "0.00041"; MISSING for None, NaN and infinities.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if 0 < abs(value) < 10 ** (1 - digits):
        return f"{value:.2g}"
    return f"{value:.{_places(value, digits)}f}"


def interval(estimate: Estimate, digits: int = 3, dash: str = "–") -> str:
    """Such as "0.22–0.26": a decimal less than the value has, unless both ends would look alike; "" where there is none."""
    if estimate.low is None or estimate.high is None or not math.isfinite(estimate.low + estimate.high):
        return ""
    coarse = [number(end, max(digits - 1, 0)) for end in (estimate.low, estimate.high)]
    fine = [number(end, digits) for end in (estimate.low, estimate.high)]
    return dash.join(fine if coarse[0] == coarse[1] else coarse)


def cell(row: Row, column: Column) -> str:
    """Such as "0.241 (0.22–0.26)": a value and its interval."""
    estimate = row.values.get(column.key, Estimate(None))
    value, between = number(estimate.value, column.digits), interval(estimate, column.digits)
    return f"{value} ({between})" if between and value != MISSING else value


def heading(column: Column) -> str:
    """The name of a column, and an arrow to where it gets better."""
    return f"{column.name} {ARROWS[column.better]}".strip()


def fact(value: Fact | None) -> str:
    """A fact: whole numbers with their thousands apart, others with three digits or more."""
    match value:
        case None:
            return MISSING
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
    return number(value, 2) if abs(value) < 1000 else f"{value:,.0f}"


def _places(value: float, digits: int) -> int:
    whole = int(math.log10(max(abs(value), 1)))
    return max(digits - whole, 0)
