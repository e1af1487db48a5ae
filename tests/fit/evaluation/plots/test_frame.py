from xml.etree import ElementTree

from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.axis import Axis
from fit.evaluation.plots.frame import LINE, WIDTH, horizontal, legend, picture, vertical
from fit.evaluation.plots.look import Look


def texts(parts: list[Markup]) -> list[tuple[str, float, float]]:
    elements = [ElementTree.fromstring(part) for part in parts]
    return [
        ("".join(each.itertext()), float(each.get("x", 0)), float(each.get("y", 0))) for each in elements if each.tag == "text"
    ]


def test_ticks_stand_at_their_places() -> None:
    assert texts(horizontal(Axis(0, 10, 100, 600), 300, 20, "x")) == [
        ("0", 100, 316), ("2", 200, 316), ("4", 300, 316), ("6", 400, 316), ("8", 500, 316), ("10", 600, 316), ("x", 350, 335)
    ]  # fmt: skip
    assert texts(vertical(Axis(0, 2, 300, 100), 60, 600, "y"))[:2] == [("0", 52, 304), ("0.5", 52, 254)]


def test_a_picture_says_what_it_shows() -> None:
    root = ElementTree.fromstring(picture("Name", "what & how", 200, tag("g")))
    assert root.get("viewBox") == f"0 0 {WIDTH} 200"
    assert (root.get("role"), root.get("aria-label"), root.findtext("title")) == ("img", "Name: what & how", "Name")


def test_a_legend_takes_as_many_lines_as_it_needs() -> None:
    look = Look("c0", None, "network")
    few, low = legend({"a": look, "b": look}, 100, lines=True)
    many, high = legend({f"{number}" + "x" * 90: look for number in range(3)}, 100, lines=False)
    assert (low, high) == (LINE, 2 * LINE)
    assert len({y for _, _, y in texts(few)}) == 1
    assert [y for _, _, y in texts(many)] == [114, 114, 114 + LINE]
    assert [part[:9] for part in few + many if "<text" not in part] == ["<polyline"] * 2 + ["<circle c"] * 3
