from pathlib import Path

import pytest

from datamodules.errors import DataError
from datamodules.folder import PICTURES, list_files


def test_files_of_a_kind_are_found_at_any_depth_in_one_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/deep/c.tiff", ".hidden.png", ".cache/d.png", "notes.txt", "film.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path, PICTURES)] == [
        "a.png",
        "b.JPG",
        "sub/deep/c.tiff",
    ]


@pytest.mark.parametrize("name", ["absent", "file.png"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.png").touch()
    with pytest.raises(DataError, match="expected a folder"):
        list_files(tmp_path / name, PICTURES)
