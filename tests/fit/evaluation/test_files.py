from dataclasses import replace
from pathlib import Path

import pytest

from fit.evaluation.card import Card, read_card
from fit.evaluation.files import write


def test_all_files_of_a_card_are_written(judged: Card, tmp_path: Path) -> None:
    write(judged, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.html", "card.json", "card.md"]
    assert read_card(tmp_path / "card.json") == judged
    assert (tmp_path / "card.md").read_text(encoding="utf-8").startswith("# Title")
    assert (tmp_path / "card.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_card_that_cannot_be_shown_leaves_the_old_files_alone(judged: Card, tmp_path: Path) -> None:
    write(judged, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileNotFoundError, match=r"absent\.png"):
        write(replace(judged, title="new", sheet="absent.png"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
