import os
from pathlib import Path

import pytest

from datamodules import video_cache
from datamodules.video_cache import remember, remembered

FILE = Path("/videos/ä\udcff.mp4")
FOUND = {"video": {"cuts": [1, 2], "time_base": "1/25"}}


def stored() -> list[Path]:
    return [path for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*") if path.is_file()]


def test_what_is_remembered_comes_back() -> None:
    assert remembered(FILE, 5, 7) is None
    remember(FILE, 5, 7, FOUND)
    assert remembered(FILE, 5, 7) == FOUND
    assert len(stored()) == 1


def test_another_file_or_a_changed_one_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(FILE, 5, 7, FOUND)
    for other in ((FILE.with_name("b.mp4"), 5, 7), (FILE, 6, 7), (FILE, 5, 8)):
        assert remembered(*other) is None
    monkeypatch.setattr(video_cache, "CHECK", 0)
    video_cache._check.cache_clear()
    assert remembered(FILE, 5, 7) is None, "an earlier check found out less"
    video_cache._check.cache_clear()


def test_a_changed_file_takes_the_place_of_what_was_known() -> None:
    remember(FILE, 5, 7, FOUND)
    remember(FILE, 6, 8, {"error": ["a", "b", "c"]})
    assert remembered(FILE, 6, 8) == {"error": ["a", "b", "c"]}
    assert len(stored()) == 1


def test_damage_means_not_known() -> None:
    remember(FILE, 5, 7, FOUND)
    place = stored()[0]
    whole = place.read_bytes()
    spoilt = [whole[:length] for length in range(len(whole))]
    spoilt += [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
    for content in [*spoilt, b"\xff\xfe", whole.replace(b"1/25", b"1/24"), b"0\n", b"null"]:
        place.write_bytes(content)
        assert remembered(FILE, 5, 7) is None, content
    place.write_bytes(whole)
    assert remembered(FILE, 5, 7) == FOUND


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        remember(FILE, 5, 7, FOUND)
    assert remembered(FILE, 5, 7) is None


def test_nothing_half_written_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        remember(FILE, 5, 7, FOUND)
    assert stored() == []
