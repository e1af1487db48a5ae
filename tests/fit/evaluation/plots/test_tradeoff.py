import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest

from fit.evaluation.card import Card, Estimate
from fit.evaluation.plots.labels import Box
from fit.evaluation.plots.tradeoff import tradeoff


def plot(card: Card) -> ElementTree.Element:
    return ElementTree.fromstring(tradeoff(card) or "")


def marks(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Where the rings and discs are, by the name of the row."""
    titles = {(mark.findtext("title") or "").rpartition(":")[0]: mark for mark in root.iter("circle")}
    return {name: (float(mark.get("cx", 0)), float(mark.get("cy", 0))) for name, mark in titles.items()}


def test_nearer_to_the_style_is_left_and_calmer_is_lower(judged: Card) -> None:
    at = marks(plot(judged))
    assert set(at) == {"blur", "frame-wise", "A<b>|*&", "B"}
    assert at["frame-wise"][0] < at["A<b>|*&"][0] < at["B"][0] < at["blur"][0]
    assert at["frame-wise"][1] < at["B"][1] < at["A<b>|*&"][1] < at["blur"][1]


def test_the_front_is_stairs_through_its_points(judged: Card) -> None:
    root = plot(judged)
    (path,) = [each.get("d") or "" for each in root.iter("path") if each.get("class") == "front"]
    (x0, y0), (x1, y1) = (marks(root)[name] for name in judged.front)
    numbers = [float(number) for number in re.findall(r"[\d.]+", path)]
    assert [path[0], *re.findall("[VH]", path)] == ["M", "V", "H", "V", "H"]
    assert numbers == pytest.approx([x0, 34, y0, x1, y1, 626], abs=0.1)


def test_intervals_reach_as_far_as_they_do(judged: Card) -> None:
    root = plot(judged)
    x, y = marks(root)["B"]
    whiskers = [each for each in root.iter("line") if each.get("class") == "whisker c1"]
    (across, along) = [[float(each.get(key, 0)) for key in ("x1", "x2", "y1", "y2")] for each in whiskers]
    assert across[2:] == [y, y]
    assert x - across[0] == pytest.approx(across[1] - x, abs=0.02)  # 0.3 less and more a tenth, on a linear axis
    assert along[:2] == [x, x]
    assert along[2] < y < along[3]


def test_names_stay_apart(judged: Card) -> None:
    rows = [
        replace(
            judged.rows[3], name=f"a name of some length {n}", values={"style": Estimate(0.3 + n / 500), "r": Estimate(1.0)}
        )
        for n in range(9)
    ]
    root = plot(replace(judged, rows=rows, front=[]))
    names = [each for each in root.iter("text") if (each.get("class") or "").startswith("tinted")]
    assert len(names) == 9
    width = 25 * 6.0
    boxes = [
        Box(x - width / 2, y - 12, x + width / 2, y + 2)
        for x, y in ((float(n.get("x", 0)), float(n.get("y", 0))) for n in names)
    ]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_no_plot_without_two_points(judged: Card) -> None:
    assert tradeoff(replace(judged, axes=[])) is None
    assert tradeoff(replace(judged, axes=["style", "absent"])) is None
    assert tradeoff(replace(judged, rows=judged.rows[:1])) is None
    nowhere = replace(judged.rows[1], values={"style": Estimate(float("nan")), "r": Estimate(1.0)})
    assert tradeoff(replace(judged, rows=[judged.rows[0], nowhere])) is None
