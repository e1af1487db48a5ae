"""The table of a card for a terminal: aligned plain text without a letter beyond ASCII of its own."""

from collections.abc import Sequence

from fit.evaluation.card import Card, Column, Estimate, Row
from fit.evaluation.text import MISSING, interval, number
from lightning_modules.pictures import shortened

WIDTH = 120  # characters; intervals are left out where they would make the table wider
_NAME = 40  # characters of a row's name

Cells = list[list[str]]


def table(card: Card) -> str:
    """A line for each row, warnings, and the front, to be printed."""
    lines = _lines(card, intervals=True)
    if max(map(len, lines)) > WIDTH:
        lines = _lines(card, intervals=False)
    lines += [f"warning: {row.name} looks {', '.join(row.flags)}" for row in card.rows if row.flags]
    if card.front:
        lines.append(f"no other is better in both style and flicker: {', '.join(card.front)}")
    return "\n".join(lines)


def _lines(card: Card, intervals: bool) -> list[str]:
    heads = [column.name.split() for column in card.columns]
    depth = max(map(len, heads), default=0)
    # The words of a name stand one above the other, the last one on the lowest line.
    cells: Cells = [["", *(head[line] if line >= -len(head) else "" for head in heads)] for line in range(-depth, 0)]
    cells.append(["better", *(column.better.replace("neither", "") for column in card.columns)])
    cells += [[shortened(row.name, _NAME), *(_cell(row, column, intervals) for column in card.columns)] for row in card.rows]
    return aligned(cells)


def _cell(row: Row, column: Column, intervals: bool) -> str:
    estimate = row.values.get(column.key, Estimate(None))
    value, between = number(estimate.value, column.digits), interval(estimate, column.digits, dash="..")
    if value == MISSING:
        return "-"
    return f"{value} ({between})" if intervals and between else value


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in cells
    ]
