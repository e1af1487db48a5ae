from dataclasses import replace
from xml.etree import ElementTree

from fit.evaluation.card import Card
from fit.evaluation.plots.worst_clips import ranked, worst_clips


def test_clips_are_ranked_by_the_worst_network(judged: Card) -> None:
    assert [clip for clip, _ in ranked(judged, "r")] == ["three & more", "one", "two"]
    assert ranked(judged, "r")[0][1] == {"input": 1.0, "blur": 0.2, "frame-wise": 14.0, "A<b>|*&": 4.0}


def test_or_by_the_worst_control_where_there_is_no_network(judged: Card) -> None:
    assert [clip for clip, _ in ranked(replace(judged, rows=judged.rows[:3]), "r")] == ["two", "three & more", "one"]


def test_the_plot_has_the_worst_on_top_and_a_mark_for_each_value(judged: Card) -> None:
    root = ElementTree.fromstring(worst_clips(judged) or "")
    names = [each for each in root.iter("text") if each.get("text-anchor") == "end"]
    assert ["".join(each.itertext())[-3:] for each in names] == ["ore", "one", "two"]
    heights = [float(each.get("y", 0)) for each in names]
    assert heights == sorted(heights)
    marks = [each for each in root.iter("circle") if (each.findtext("title") or "").startswith("A<b>|*&, three")]
    assert float(marks[0].get("cy", 0)) == heights[0] - 4
    titled = [each for each in root.iter() if each.tag in ("circle", "path") and each.find("title") is not None]
    assert len(titled) == 4 * 3


def test_of_many_clips_a_few_are_shown(judged: Card) -> None:
    many = replace(
        judged, clips=[f"clip {n}" for n in range(50)], rows=[replace(judged.rows[3], clips=[{"r": n} for n in range(50)])]
    )
    plot = worst_clips(many) or ""
    assert [f">clip {n}<" in plot for n in (49, 42, 41, 0)] == [True, True, False, False]


def test_without_values_of_clips_there_is_no_plot(judged: Card) -> None:
    assert worst_clips(replace(judged, axes=[])) is None
    assert worst_clips(replace(judged, rows=[replace(row, clips=[]) for row in judged.rows])) is None
    nan = [replace(judged.rows[3], clips=[{"r": float("nan")}, {"r": None}, {}])]
    assert worst_clips(replace(judged, rows=nan)) is None
