"""Remembers what was found out about video files, in the user's cache folder: one small file for each.

What is remembered counts only for the same path, size and time of change, the same check and the same decoders. A damaged
file of the cache is as good as none.
"""

import json
import os
import tempfile
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

from platformdirs import user_cache_path

from datamodules.videos import CHECK


@cache
def _check() -> str:
    return f"{CHECK}, av {version('av')}, decord {version('decord')}, scenedetect {version('scenedetect-headless')}"


def _place(path: Path) -> Path:
    name = sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return user_cache_path("fit-video-style") / "videos" / name[:2] / f"{name}.json"


def _key(path: Path, size: int, changed: int) -> list[Any]:
    return [str(path.absolute()), size, changed, _check()]


def remembered(path: Path, size: int, changed: int) -> dict[str, Any] | None:
    """What was stored for a file, or None.

    Args:
        path: of the file.
        size: in bytes.
        changed: time of its last change, in nanoseconds.
    """
    try:
        mark, text = _place(path).read_text(encoding="ascii").split("\n", 1)
        if int(mark) != crc32(text.encode()):
            return None
        key, found = json.loads(text)
    except (OSError, ValueError):
        return None
    return found if key == _key(path, size, changed) else None


def remember(path: Path, size: int, changed: int, found: dict[str, Any]) -> None:
    """Store what was found out about a file; written whole or not at all.

    Raises:
        OSError: the cache folder cannot be written to.
    """
    place, text = _place(path), json.dumps([_key(path, size, changed), found])
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{crc32(text.encode())}\n{text}")
        os.replace(name, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
