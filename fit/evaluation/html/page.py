"""``card.html``: a card as one page that needs nothing else, no network least of all."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from fit.evaluation.card import Card
from fit.evaluation.html import pictures, tables
from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.over_time import over_time
from fit.evaluation.plots.tradeoff import tradeoff
from fit.evaluation.plots.worst_clips import worst_clips
from fit.evaluation.text import fact

_LEGEND = "↓ lower is better, ↑ higher is better. Below each value stands its 95 % interval over clips."
_FILMS = "The same clips, painted by each. Short clips go to and fro."
_FRONT = "The line joins what no other beats in both: what lies above and to the right of it is beaten."
_MARKS = "Lines across a point are its 95 % intervals. Cross: the input. Rings: controls. Discs: networks."
_TIME = "Mean over clips. The input's own is what resampling and sensor noise leave."
_CLIPS = "The clips on which a network flickers most, the worst on top."
_ERRORS = "Root mean square difference along the motion in percent of the full range; the colours mean the same in all of them."
_SHEET = "Time goes downward."
_LONG = 60  # letters of a fact that needs the room of two


def page(card: Card, folder: Path) -> str:
    """The whole page.

    Args:
        card: what to show.
        folder: where its pictures and films are.

    Raises:
        ValueError: it names a file that is not one beside it.
        FileNotFoundError: such a file is missing.
    """
    return document(card.title, _parts(card, folder), _file("card.js"))


def document(title: str, parts: Iterable[Markup], script: Markup | None = None) -> str:
    """A page in the style of a card.

    Args:
        title: of the window.
        parts: what it holds.
        script: what runs in it, if anything.
    """
    style = _file("card.css")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    body = tag("body", tag("main", *parts), tag("script", script) if script else "")
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _policy(style: str, script: str | None) -> str:
    """Nothing may be loaded, and nothing run but our own script: a page shows names that others chose."""
    runs = f"script-src '{_digest(script)}'; " if script else ""
    allowed = f"img-src data:; media-src data:; style-src '{_digest(style)}'; {runs}"
    return f"default-src 'none'; {allowed}base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _file(name: str) -> Markup:
    return Markup(files("fit.evaluation.html").joinpath(name).read_text(encoding="utf-8"))


def _parts(card: Card, folder: Path) -> Iterator[Markup]:
    yield header(card.title, {name: fact(value) for name, value in card.data.items()})
    yield from _warnings(card)
    yield section("Results", _LEGEND, tables.values(card))
    yield section("Films", _FILMS, pictures.films(card, folder))
    plots = [
        plot("Style against flicker", f"{_FRONT} {_MARKS}" if card.front else _MARKS, tradeoff(card)),
        plot("Flicker over time", _TIME, over_time(card)),
        plot("Worst clips", _CLIPS, worst_clips(card)),
    ]
    yield section(_compared(card), _verdict(card), tag("div", *plots, class_="plots") if any(plots) else None)
    yield section("Where it flickers", _ERRORS, pictures.errors(card, folder))
    yield section("Contact sheet", _SHEET, pictures.sheet(card, folder))
    yield section("Files and cost", "", tables.cost(card))
    yield section("What the columns mean", "", tables.legend(card))
    yield section("Notes", "", tag("ul", *(tag("li", note) for note in card.notes)) if card.notes else None)


def header(title: str, shown: Mapping[str, str]) -> Markup:
    """The title of a page over facts by their names."""
    facts = [
        tag("div", tag("dt", name), tag("dd", text), class_="long" if len(text) > _LONG else None)
        for name, text in shown.items()
    ]
    return tag("header", tag("h1", title), tag("dl", *facts, class_="data") if facts else "")


def _warnings(card: Card) -> Iterator[Markup]:
    flagged = [row for row in card.rows if row.flags]
    lines = [tag("li", tag("b", row.name), f" looks {', '.join(row.flags)}") for row in flagged]
    if lines:
        text = "Low numbers of these rows mean nothing:"
        yield tag("aside", tag("p", text), tag("ul", *lines), class_="warning", role="note")


def _compared(card: Card) -> str:
    return "Comparison" if sum(row.kind == "network" for row in card.rows) > 1 else "Plots"


def _verdict(card: Card) -> str:
    return f"No other is better in both style and flicker: {', '.join(card.front)}." if card.front else ""


def section(title: str, lead: str, content: Markup | None) -> Markup:
    """A part of a page under its title; nothing where there is no content."""
    if content is None:
        return Markup()
    return tag("section", tag("h2", title), tag("p", lead, class_="lead") if lead else "", content)


def plot(title: str, about: str, drawn: Markup | None) -> Markup:
    """A drawing under its title; nothing where there is none."""
    if drawn is None:
        return Markup()
    caption = tag("figcaption", tag("h3", title), tag("p", about))
    return tag("figure", caption, tag("div", drawn, class_="scroll", tabindex="0"))
