import base64
from dataclasses import replace
from pathlib import Path

import pytest

from fit.evaluation.card import Card
from fit.evaluation.html.pictures import errors, films, inside, sheet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "e.png"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_files_travel_inside_the_page(judged: Card, folder: Path) -> None:
    row = replace(judged.rows[3], video="a.mp4", errors="e.png")
    card = replace(judged, rows=[judged.rows[0], row], sheet="e.png")
    shown, maps, contact = films(card, folder), errors(card, folder), sheet(card, folder)
    assert shown is not None
    assert maps is not None
    assert contact is not None
    assert f'src="data:video/mp4;base64,{base64.b64encode(b"a.mp4").decode()}"' in shown
    assert all(f" {word}" in shown for word in ("muted", "loop", "playsinline", "autoplay"))
    assert [part.count("<figure>") for part in (shown, maps)] == [1, 1]
    assert f'src="data:image/png;base64,{base64.b64encode(b"e.png").decode()}"' in maps
    assert 'alt="error map of A&lt;b&gt;|*&amp;"' in maps
    assert 'alt="contact sheet, a column for each of input, A&lt;b&gt;|*&amp;"' in contact


def test_nothing_is_shown_of_what_is_not_there(judged: Card, folder: Path) -> None:
    assert (films(judged, folder), errors(judged, folder), sheet(judged, folder)) == (None, None, None)


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "/etc/x.png", "card.json", "a.svg", "sub/a.png", ""])
def test_a_card_shows_no_other_files(name: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"expected pictures beside the card, as \.png or \.mp4, got"):
        inside(folder, name)


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        inside(folder, "b.png")
