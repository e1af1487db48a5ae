"""Plots as PNG: draws the few elements of SVG that this project's plots are made of, in the light colours of their style."""

import io
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

_SCALE = 2  # pixels of the PNG for one of the plot
_FINE = 2  # drawn so many times larger, for smooth edges

Point = tuple[float, float]


def png(svg: str) -> bytes:
    """A plot, twice as large as its own pixels.

    Args:
        svg: as the modules of ``fit.evaluation.plots`` and of this package draw it.
    """
    root = ElementTree.fromstring(svg)
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    pen = _Pen(width, height)
    for element in root.iter():
        pen.draw(element)
    image = pen.image.reduce(_FINE)
    held = io.BytesIO()
    image.save(held, "PNG", optimize=True)
    return held.getvalue()


@cache
def _colours() -> dict[str, str]:
    """Of the style sheet in its light form, by their names."""
    css = files("fit.evaluation.html").joinpath("card.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#\w+)", css[: css.index("@media")]))


class _Pen:
    def __init__(self, width: float, height: float) -> None:
        self.scale = _SCALE * _FINE
        self.image = Image.new("RGB", (round(width * self.scale), round(height * self.scale)), _colours()["paper"])
        self.canvas = ImageDraw.Draw(self.image)

    def draw(self, element: ElementTree.Element) -> None:
        """One element; what is not drawn itself, such as titles, is passed over."""
        given = {name: float(value) for name, value in element.attrib.items() if re.fullmatch(r"-?[\d.]+", value)}
        classes = element.attrib.get("class", "").split()
        match element.tag:
            case "text":
                self._text(element, given, classes)
            case "line":
                self._stroke([(given["x1"], given["y1"]), (given["x2"], given["y2"])], element, classes)
            case "polyline":
                self._stroke([_point(word) for word in element.attrib["points"].split()], element, classes)
            case "path":
                for points in _paths(element.attrib["d"]):
                    self._stroke(points, element, classes)
            case "circle":
                ring = "ring" in classes
                fill, edge = (_colours()["paper"], _tint(classes)) if ring else (_tint(classes), _colours()["paper"])
                width = 2.0 if ring else 1.0
                x, y, r = given["cx"], given["cy"], given["r"] + width / 2  # an edge lies on both sides of the radius
                self.canvas.ellipse(self._box(x - r, y - r, x + r, y + r), fill, edge, round(width * self.scale))
            case "rect":
                x, y = given["x"], given["y"]
                self.canvas.rectangle(self._box(x, y, x + given["width"], y + given["height"]), _tint(classes))

    def _box(self, *ends: float) -> list[float]:
        return [end * self.scale for end in ends]

    def _text(self, element: ElementTree.Element, given: dict[str, float], classes: Sequence[str]) -> None:
        words = "".join([element.text or "", *(child.tail or "" for child in element)])
        anchor = {"middle": "ms", "end": "rs"}.get(element.attrib.get("text-anchor", ""), "ls")
        soft = "tick" in classes or "axis" in classes
        colour = _tint(classes) if "tinted" in classes else _colours()["soft" if soft else "ink"]
        font = ImageFont.load_default((13 if "axis" in classes else 12) * self.scale)
        place = given["x"] * self.scale, given["y"] * self.scale
        self.canvas.text(place, words, colour, font, anchor, stroke_width=self.scale, stroke_fill=_colours()["paper"])

    def _stroke(self, points: Sequence[Point], element: ElementTree.Element, classes: Sequence[str]) -> None:
        colour, width, dash = _line_style(element, classes)
        for piece in _dashed(points, [float(length) for length in dash.split()]) if dash else [points]:
            scaled = [(x * self.scale, y * self.scale) for x, y in piece]
            self.canvas.line(scaled, colour, round(width * self.scale), joint="curve")


def _tint(classes: Sequence[str]) -> str:
    return next((_colours()[name] for name in classes if re.fullmatch(r"c\d|grey", name)), _colours()["soft"])


def _line_style(element: ElementTree.Element, classes: Sequence[str]) -> tuple[str, float, str]:
    """Colour, width and dashes: the element's own, or those of the style sheet."""
    widths = {"front": 1.5, "lead-line": 0.75, "whisker": 1.5, "cross": 2.5, "network": 2.5, "line": 1.5}
    width = next((each for name, each in widths.items() if name in classes), 1.0)
    colour = _colours()["rule"] if "grid-line" in classes else _tint(classes)
    own = element.attrib
    dash = own.get("stroke-dasharray", "6 4" if "front" in classes else "")
    return own.get("stroke", colour), float(own.get("stroke-width", width)), dash


def _point(word: str) -> Point:
    x, y = word.split(",")
    return float(x), float(y)


def _paths(data: str) -> Iterator[list[Point]]:
    """The lines of a path of moves and straight strokes (M, m, L, l, H, V)."""
    points: list[Point] = []
    x = y = 0.0
    for letter, rest in re.findall(r"([MmLlHV])([^MmLlHV]*)", data):
        ends = [float(text) for text in re.findall(r"-?[\d.]+", rest)]
        match letter:
            case "H":
                x = ends[0]
            case "V":
                y = ends[0]
            case "M" | "L":
                x, y = ends
            case _:
                x, y = x + ends[0], y + ends[1]
        if letter in "Mm" and points:
            yield points
            points = []
        points.append((x, y))
    yield points


def _dashed(points: Sequence[Point], lengths: Sequence[float]) -> Iterator[list[Point]]:
    """The pieces that are drawn: lengths in turn drawn and left out, along the whole line."""
    turn, left = 0, lengths[0]
    for (x, y), (end_x, end_y) in pairwise(points):
        whole = ((end_x - x) ** 2 + (end_y - y) ** 2) ** 0.5
        done = 0.0
        while whole - done > 1e-9:
            part = min(left, whole - done)
            places = [(x + (end_x - x) * at / whole, y + (end_y - y) * at / whole) for at in (done, done + part)]
            if turn % 2 == 0:
                yield places
            done, left = done + part, left - part
            if left < 1e-9:
                turn += 1
                left = lengths[turn % len(lengths)]
