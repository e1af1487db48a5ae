import signal
from dataclasses import replace
from pathlib import Path

import pytest

from fit.evaluation.card import Card, read_card
from fit.evaluation.files import together, write


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


def fill(folder: Path, text: str, error: BaseException | None = None) -> None:
    """A film of this text, and an error before all is there, if any."""
    with together(folder) as part:
        (part / "film.mp4").write_text(text)
        if error:
            raise error


def test_files_come_together_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "card"
    with pytest.raises(KeyboardInterrupt):
        fill(folder, "0", KeyboardInterrupt())
    assert not list(tmp_path.iterdir())
    fill(folder, "1")
    fill(folder, "2")
    with pytest.raises(OSError, match="No space"):
        fill(folder, "3", OSError("No space"))
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("film.mp4", "2")]


def test_a_terminated_evaluation_leaves_nothing(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left, together(tmp_path / "card"):
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 143
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_folder_made_for_a_card_that_never_came_is_removed(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "made", "0", KeyboardInterrupt())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file", "file/card"])
def test_a_folder_that_cannot_be_written_to_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="expected a folder that can be written to"):
        fill(tmp_path / name, "0")
