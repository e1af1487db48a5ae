import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from fit.evaluation.card import Card
from fit.evaluation.plots.over_time import known, over_time


def test_each_row_has_its_line_and_a_missing_pair_leaves_a_gap(judged: Card) -> None:
    root = ElementTree.fromstring(over_time(judged) or "")
    lines = [(line.get("points") or "").count(",") for line in root.iter("polyline")]
    assert sorted(lines) == [2] * 4 + [3] * 3  # four in the legend; the frame-wise row's two pairs do not touch
    titles = [title.text or "" for mark in root.iter("circle") for title in mark.iter("title")]
    assert [title for title in titles if title.startswith("frame-wise")] == [
        "frame-wise, pair 1: 0.02",
        "frame-wise, pair 3: 0.03",
    ]
    assert "B" not in " ".join(titles)
    assert "flicker (E_warp), logarithmic" in "".join(root.itertext())  # 0.0001 to 0.03
    assert "A<b>|*& 0.00367 on average" in (root.get("aria-label") or "")


def test_more_flicker_is_drawn_higher(judged: Card) -> None:
    plot = over_time(replace(judged, rows=[replace(judged.rows[0], over_time=[0.0, 1.0, 4.0])])) or ""
    heights = [float(y) for y in re.findall(r"[\d.]+,([\d.]+)", max(re.findall(r'points="([^"]*)"', plot), key=len))]
    assert heights[0] == 290  # zero is at the bottom
    assert (heights[0] - heights[2]) / (heights[0] - heights[1]) == pytest.approx(4, rel=1e-2)


def test_many_pairs_have_no_marks(judged: Card) -> None:
    long = replace(judged, rows=[replace(judged.rows[3], over_time=[1.0] * 40)])
    assert "<circle" not in (over_time(long) or "")


def test_without_values_there_is_no_plot(judged: Card) -> None:
    assert over_time(replace(judged, rows=[replace(judged.rows[0], over_time=[None, float("nan")])])) is None
    assert known([None, 2.0, float("inf"), 0.0]) == [(2, 2.0), (4, 0.0)]
