from xml.etree import ElementTree

from fit.evaluation.card import Card, Row
from fit.evaluation.plots.look import COLOURS, looks


def test_networks_have_the_first_colours_and_the_input_grey(judged: Card) -> None:
    found = looks(judged.rows)
    assert list(found) == [row.name for row in judged.rows]
    assert [found[row.name].colour for row in judged.rows] == ["grey", "c2", "c3", "c0", "c1"]


def test_no_two_of_many_rows_look_alike() -> None:
    rows = [Row(f"row {number}", "network", {}) for number in range(3 * COLOURS)]
    assert len({(look.colour, look.dash) for look in looks(rows).values()}) == len(rows)


def test_each_kind_has_its_mark(judged: Card) -> None:
    marks = [ElementTree.fromstring(look.mark(3, 4, "a & b")) for look in looks(judged.rows).values()]
    assert [mark.get("class", "").split()[0] for mark in marks] == ["cross", "ring", "ring", "disc", "disc"]
    assert {mark.findtext("title") for mark in marks} == {"a & b"}
    assert [(mark.get("cx"), mark.get("cy")) for mark in marks[1:]] == [("3", "4")] * 4


def test_lines_go_through_their_points(judged: Card) -> None:
    line = ElementTree.fromstring(looks(judged.rows)["input"].line([(1, 2), (3.25, 4)]))
    assert line.get("points") == "1.0,2.0 3.2,4.0"
    assert line.get("stroke-dasharray") == "5 3"
