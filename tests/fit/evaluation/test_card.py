import json
from pathlib import Path

import pytest

from fit.evaluation.card import Card, Column, Estimate, Row, read_card, write_card


@pytest.fixture
def card() -> Card:
    row = Row(
        "input",
        "input",
        {"flicker_ratio": Estimate(1.0, 0.9, 1.1)},
        ["identity"],
        [{"flicker_ratio": 1.0}],
        [0.5],
        {"fps": 3.0},
    )
    return Card("A run", {"clips": 1}, [Column("flicker_ratio", "R", "lower", "flicker")], [row], ["scene 0"])


def test_reads_what_was_written(card: Card, tmp_path: Path) -> None:
    write_card(card, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_what_is_not_a_number_is_null(card: Card, tmp_path: Path) -> None:
    card.rows[0].over_time.append(float("nan"))
    card.rows[0].values["flicker_ratio"] = Estimate(float("inf"), float("nan"), 1.0)
    write_card(card, tmp_path / "card.json")
    read = json.loads((tmp_path / "card.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert read["rows"][0]["over_time"] == [0.5, None]
    assert read["rows"][0]["values"]["flicker_ratio"] == {"value": None, "low": None, "high": 1.0}


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\x00"])
def test_refuses_another_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"card\.json: expected a card\.json"):
        read_card(path)


def test_refuses_another_version(card: Card, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_card(card, path)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(ValueError, match="version 1, got 2"):
        read_card(path)
