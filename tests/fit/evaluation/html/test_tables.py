from dataclasses import replace
from xml.etree import ElementTree

from fit.evaluation.card import Card
from fit.evaluation.html.tables import cost, legend, values


def rows(html: str) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in ElementTree.fromstring(html).iter("tr")]


def test_values_stand_over_their_intervals_under_names_with_directions(judged: Card) -> None:
    found = rows(values(judged))
    assert found[0] == [
        "",
        "style distance\N{NO-BREAK SPACE}↓",
        "flicker ratio R\N{NO-BREAK SPACE}↓",
        "PSNR\N{NO-BREAK SPACE}↑",
        "E_warp",
    ]
    assert found[1] == ["input", "0.4860.44–0.53", "1.0000.90–1.10", "–", "–"]
    assert [row[0] for row in found[2:]] == ["blurblurred", "frame-wisefront", "A<b>|*&front", "B"]


def test_kinds_stand_together_and_headings_explain_themselves(judged: Card) -> None:
    root = ElementTree.fromstring(values(judged))
    assert [(body.get("class"), len(body)) for body in root.iter("tbody")] == [("input", 1), ("control", 2), ("network", 2)]
    assert [head.get("title") for head in root.iter("th") if head.get("title")] == [column.about for column in judged.columns]
    assert [badge.text for badge in root.iter("span") if badge.get("class") == "badge flag"] == ["blurred"]


def test_a_front_of_one_is_no_distinction(judged: Card) -> None:
    assert "front" not in values(replace(judged, front=["B"]))


def test_cost_has_a_line_for_each_fact(judged: Card) -> None:
    assert rows(cost(judged) or "") == [
        ["", "A<b>|*&", "B"],
        ["parameters", "1,482,115", "–"],
        ["frames/s", "31.2", "–"],
        ["step", "–", "500"],
    ]
    assert cost(replace(judged, rows=judged.rows[:3])) is None


def test_the_legend_explains_every_column(judged: Card) -> None:
    terms = ElementTree.fromstring(legend(judged))
    assert [term.text for term in terms.iter("dd")] == [column.about for column in judged.columns]
