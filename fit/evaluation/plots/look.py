"""How a row is drawn, the same in every plot: a colour, a dash, a mark and its kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from fit.evaluation.card import Row
from fit.evaluation.markup import Markup, tag

COLOURS = 8  # of the colour-blind-safe palette of card.css: classes c0 to c7; "grey" is the input's
_DASHES = (None, "7 4", "2 3")  # tell lines of one colour apart, where rows are many
_SIZE = 5.0  # half the width of a mark in pixels


@dataclass(frozen=True)
class Look:
    """Classes and dash of a row.

    Args:
        colour: class of the style sheet.
        dash: of its lines; None draws through.
        kind: of the row, which chooses the mark.
    """

    colour: str
    dash: str | None
    kind: str

    def mark(self, x: float, y: float, title: str = "") -> Markup:
        """Its mark at a place: a cross for the input, a ring for a control, a disc for a network."""
        children = [tag("title", title)] if title else []
        match self.kind:
            case "input":
                s = _SIZE - 1
                path = f"M{x - s:.1f} {y - s:.1f}l{2 * s} {2 * s}m0 {-2 * s}l{-2 * s} {2 * s}"
                return tag("path", *children, d=path, class_=f"cross {self.colour}")
            case "control":
                return tag("circle", *children, cx=x, cy=y, r=_SIZE - 0.5, class_=f"ring {self.colour}")
        return tag("circle", *children, cx=x, cy=y, r=_SIZE + 0.5, class_=f"disc {self.colour}")

    def line(self, points: Sequence[tuple[float, float]]) -> Markup:
        """A line through places."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return tag("polyline", points=path, stroke_dasharray=self.dash, class_=f"line {self.kind} {self.colour}")


def looks(rows: Sequence[Row]) -> dict[str, Look]:
    """The look of each row by its name. Networks choose first, so that a card's networks have its clearest colours."""
    chosen = {row.name: Look("grey", "5 3", row.kind) for row in rows if row.kind == "input"}
    others = sorted((row for row in rows if row.kind != "input"), key=lambda row: row.kind != "network")
    for number, row in enumerate(others):
        dash = _DASHES[number // COLOURS % len(_DASHES)]
        chosen[row.name] = Look(f"c{number % COLOURS}", dash, row.kind)
    return {row.name: chosen[row.name] for row in rows}
