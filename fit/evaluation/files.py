"""All files of a card."""

import os
from pathlib import Path

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
