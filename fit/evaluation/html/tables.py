"""The tables of a page: values of the rows, and their files and cost."""

from collections.abc import Iterator

from fit.evaluation.card import Card, Column, Estimate, Row
from fit.evaluation.markdown import facts_by_row
from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.look import Look, looks
from fit.evaluation.text import ARROWS, MISSING, fact, interval, number

_BETTER = {"lower": "lower is better", "higher": "higher is better", "neither": ""}


def values(card: Card) -> Markup:
    """A line for each row, those of a kind together; values over their intervals."""
    head = tag("tr", tag("th", "", scope="col"), *(_head(column) for column in card.columns))
    return scrolled(tag("table", tag("thead", head), *_bodies(card), class_="values"))


def cost(card: Card) -> Markup | None:
    """A line for each fact, a column for each row that has any; None where none has."""
    names, rows = facts_by_row(card)
    if not rows:
        return None
    head = tag("tr", tag("th", "", scope="col"), *(tag("th", name, scope="col") for name, _ in rows))
    body = [tag("tr", tag("th", name, scope="row"), *(tag("td", fact(facts.get(name))) for _, facts in rows)) for name in names]
    return scrolled(tag("table", tag("thead", head), tag("tbody", *body), class_="facts"))


def legend(card: Card) -> Markup:
    """What the columns mean."""
    terms = [tag("div", tag("dt", column.name, _hint(column)), tag("dd", column.about)) for column in card.columns]
    return tag("dl", *terms, class_="terms")


def scrolled(wide: Markup) -> Markup:
    """What may be wider than the window, and can then be moved with the keyboard too."""
    return tag("div", wide, class_="scroll", tabindex="0")


def name_of(row: Row, look: Look) -> Markup:
    """A row's name after its mark in the plots."""
    swatch = tag("svg", look.mark(8, 8), viewBox="0 0 16 16", class_="swatch", aria_hidden="true")
    return tag("span", swatch, tag("span", row.name), class_="name")


def _bodies(card: Card) -> Iterator[Markup]:
    look = looks(card.rows)
    for kind in ("input", "control", "network"):
        lines = [_line(card, row, look[row.name]) for row in card.rows if row.kind == kind]
        if lines:
            yield tag("tbody", *lines, class_=kind)


def _line(card: Card, row: Row, look: Look) -> Markup:
    badges = [tag("span", flag, class_="badge flag") for flag in row.flags]
    if row.name in card.front and len(card.front) > 1:
        badges.append(tag("span", "front", class_="badge", title="no other is better in both style and flicker"))
    head = tag("th", name_of(row, look), *badges, scope="row")
    return tag("tr", head, *(_cell(row, column) for column in card.columns))


def _cell(row: Row, column: Column) -> Markup:
    estimate = row.values.get(column.key, Estimate(None))
    value, between = number(estimate.value, column.digits), interval(estimate, column.digits)
    if value == MISSING:
        return tag("td", MISSING, class_="missing")
    return tag("td", tag("b", value), tag("small", between) if between else "")


def _head(column: Column) -> Markup:
    return tag("th", column.name, _hint(column), scope="col", title=column.about)


def _hint(column: Column) -> Markup:
    arrow = ARROWS[column.better]
    return tag("span", f"\N{NO-BREAK SPACE}{arrow}", class_="arrow", title=_BETTER[column.better]) if arrow else Markup()
