"""``card.md``: a card as GitHub shows it."""

from collections.abc import Iterable, Iterator, Sequence

from fit.evaluation.card import Card, Fact
from fit.evaluation.text import cell, fact, heading

LEGEND = "↓ lower is better, ↑ higher is better; in parentheses the 95 % interval over clips."


def table(card: Card) -> str:
    """The whole text: facts of the data, values with intervals, what the columns mean, warnings, cost, notes."""
    return "\n\n".join(_blocks(card)) + "\n"


def facts_by_row(card: Card) -> tuple[list[str], list[tuple[str, dict[str, Fact]]]]:
    """The names of all facts about rows, in the order met, and the rows that have any, with theirs."""
    rows = [(row.name, row.facts) for row in card.rows if row.facts]
    return list(dict.fromkeys(name for _, facts in rows for name in facts)), rows


def _blocks(card: Card) -> Iterator[str]:
    yield f"# {_plain(card.title)}"
    if card.data:
        yield _bullets(f"{_plain(name)}: {_plain(fact(value))}" for name, value in card.data.items())
    flagged = [row for row in card.rows if row.flags]
    if flagged:
        yield _bullets(f"**Warning:** {_plain(row.name)} looks {_plain(', '.join(row.flags))}" for row in flagged)
    yield _values(card)
    yield LEGEND
    if card.front:
        yield f"No other is better in both style and flicker: {', '.join(_plain(name) for name in card.front)}."
    yield "\n".join(["## What the columns mean", "", *(f"- **{_plain(c.name)}**: {_plain(c.about)}" for c in card.columns)])
    names, rows = facts_by_row(card)
    if rows:
        body = [[name, *(fact(facts.get(name)) for _, facts in rows)] for name in names]
        yield "## Files and cost\n\n" + _grid(["", *(name for name, _ in rows)], body)
    if card.notes:
        yield "## Notes\n\n" + _bullets(_plain(note) for note in card.notes)


def _values(card: Card) -> str:
    names = [row.name + (f" ⚠ {', '.join(row.flags)}" if row.flags else "") for row in card.rows]
    body = [[name, *(cell(row, column) for column in card.columns)] for name, row in zip(names, card.rows, strict=True)]
    return _grid(["", *(heading(column) for column in card.columns)], body)


def _grid(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    aligned = ["---", *("---:" for _ in head[1:])]
    rows = [[_plain(text) for text in row] for row in (head, *body)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], aligned, *rows[1:]))


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#~&$" else letter for letter in " ".join(text.split()))
