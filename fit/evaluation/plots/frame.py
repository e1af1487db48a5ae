"""What all plots have around their data: grid, ticks, names of the axes, a legend."""

from collections.abc import Mapping

from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.axis import Axis
from fit.evaluation.plots.look import Look
from lightning_modules.pictures import shortened

WIDTH = 640  # of every plot in pixels of its own; the page scales it
LETTER = 6.6  # mean width of a letter at the size of the style sheet, generous
LINE = 20  # height of a line of a legend
_LONGEST = 38  # letters of a name in a legend


def picture(name: str, about: str, height: float, *children: str) -> Markup:
    """A whole plot; ``about`` is what a screen reader says of it."""
    view = f"0 0 {WIDTH} {height:g}"
    return tag("svg", tag("title", name), *children, viewBox=view, role="img", aria_label=f"{name}: {about}", class_="plot")


def horizontal(axis: Axis, y: float, top: float, name: str) -> list[Markup]:
    """An axis along the lower edge ``y``, its grid up to ``top``, its name below."""
    parts = []
    for tick in axis.ticks():
        x = axis.at(tick)
        parts += [tag("line", x1=x, x2=x, y1=top, y2=y, class_="grid-line")]
        parts += [tag("text", axis.label(tick), x=x, y=y + 16, text_anchor="middle", class_="tick")]
    parts.append(tag("line", x1=min(axis.start, axis.end), x2=max(axis.start, axis.end), y1=y, y2=y, class_="edge"))
    middle = (axis.start + axis.end) / 2
    return [*parts, tag("text", name, x=middle, y=y + 35, text_anchor="middle", class_="axis")]


def vertical(axis: Axis, x: float, right: float, name: str) -> list[Markup]:
    """An axis along the left edge ``x``, its grid to ``right``, its name above."""
    parts = []
    for tick in axis.ticks():
        y = axis.at(tick)
        parts += [tag("line", x1=x, x2=right, y1=y, y2=y, class_="grid-line")]
        parts += [tag("text", axis.label(tick), x=x - 8, y=y + 4, text_anchor="end", class_="tick")]
    return [*parts, tag("text", name, x=4.0, y=min(axis.start, axis.end) - 12, class_="axis")]


def legend(named: Mapping[str, Look], top: float, *, lines: bool) -> tuple[list[Markup], float]:
    """Names beside their marks, or their lines, in as many lines as they need.

    Returns:
        What to draw, and the height of it.
    """
    parts: list[Markup] = []
    x, y = 10.0, top + LINE / 2
    for name, look in named.items():
        text = shortened(name, _LONGEST)
        width = 40 + len(text) * LETTER
        if x > 10 and x + width > WIDTH:
            x, y = 10.0, y + LINE
        parts.append(look.line([(x, y), (x + 24, y)]) if lines else look.mark(x + 14, y))
        parts.append(tag("text", tag("title", name), text, x=x + 30, y=y + 4, class_="key"))
        x += width + 8
    return parts, y + LINE / 2 - top
