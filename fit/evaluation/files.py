"""All files of a card."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType
from typing import NoReturn

from fit.evaluation.card import Card, write_card
from fit.evaluation.html.page import page
from fit.evaluation.markdown import table


def write(card: Card, folder: Path) -> None:
    """Write ``card.json``, ``card.md`` and ``card.html`` beside the pictures and films that the card names.

    Each file is written whole or not at all, and none before all could be made.

    Raises:
        ValueError: the card names a file that is not one beside it.
        FileNotFoundError: such a file is missing.
    """
    texts = {"card.md": table(card), "card.html": page(card, folder)}
    write_card(card, folder / "card.json")
    for name, text in texts.items():
        part = folder / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, folder / name)


@contextmanager
def together(folder: Path) -> Iterator[Path]:
    """A folder whose files come into ``folder`` all at once, in the place of those of their names; none after an error.

    Nothing is left of folders that were made for it, or were empty, and stay so.

    Raises:
        ValueError: nothing can be written there.
    """
    empty = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=".card-", dir=folder))
    except OSError as error:
        raise ValueError(
            f"--out: expected a folder that can be written to, got {folder} ({error.strerror}); name another"
        ) from error
    try:
        with unwound_by_sigterm():
            yield part
        for path in sorted(part.iterdir()):
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(part)
        for path in empty or [folder]:
            with suppress(OSError):
                path.rmdir()  # only if nothing is in it


@contextmanager
def unwound_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the process through its ``finally`` clauses, with the status that shells have for it."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say what signals do
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
