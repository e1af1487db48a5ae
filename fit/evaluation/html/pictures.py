"""What a page shows of the clips: films in step, error maps, the contact sheet. All of it travels inside the page."""

import base64
from pathlib import Path

from fit.evaluation.card import Card
from fit.evaluation.html.tables import name_of, scrolled
from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.look import looks

_KINDS = {".mp4": "video/mp4", ".png": "image/png"}


def films(card: Card, folder: Path) -> Markup | None:
    """The films of all rows with one button for all; None where there are none."""
    look = looks(card.rows)
    shown = [
        tag("figure", tag("figcaption", name_of(row, look[row.name])), _film(row.name, inside(folder, row.video)))
        for row in card.rows
        if row.video
    ]
    if not shown:
        return None
    button = tag("button", "Pause", type="button", id="play")
    controls = tag("p", button, tag("span", id="films", role="status"), class_="controls")
    return tag("div", controls, tag("div", *shown, class_="grid films"))


def errors(card: Card, folder: Path) -> Markup | None:
    """The error maps of all rows; None where there are none."""
    look = looks(card.rows)
    shown = [
        tag("figure", tag("figcaption", name_of(row, look[row.name])), _image(f"error map of {row.name}", folder, row.errors))
        for row in card.rows
        if row.errors
    ]
    return tag("div", *shown, class_="grid errors") if shown else None


def sheet(card: Card, folder: Path) -> Markup | None:
    """The contact sheet, if there is one."""
    if not card.sheet:
        return None
    names = ", ".join(row.name for row in card.rows)
    return scrolled(_image(f"contact sheet, a column for each of {names}", folder, card.sheet))


def inside(folder: Path, name: str) -> str:
    """A file beside the card as the address of its content.

    Raises:
        ValueError: it is no PNG or MP4 beside the card: a card may come from anybody, and shall show nothing else.
    """
    path = folder / name
    if path.suffix not in _KINDS or Path(name).name != name:
        raise ValueError(f"{folder}: expected pictures beside the card, as .png or .mp4, got {name!r}; correct card.json")
    return f"data:{_KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _film(name: str, address: str) -> Markup:
    return tag(
        "video",
        src=address,
        muted=True,
        loop=True,
        playsinline=True,
        autoplay=True,
        preload="auto",
        aria_label=f"film of {name}",
    )


def _image(about: str, folder: Path, name: str) -> Markup:
    return tag("img", src=inside(folder, name), alt=about)
