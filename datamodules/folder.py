"""The files of a folder, by kind."""

import os
from pathlib import Path

from datamodules.errors import DataError

PICTURES = frozenset({".bmp", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
VIDEOS = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)


def list_files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """All files of the given kinds in a folder and the folders below it, sorted; hidden ones are passed over.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        got = "a file" if folder.is_file() else "nothing there"
        raise DataError(folder, "a folder", got, "give an existing folder")
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where, name) for name in names if Path(name).suffix.lower() in suffixes and not name.startswith(".")]
    return sorted(found)
