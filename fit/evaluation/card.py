"""What an evaluation found, as it is kept in ``card.json``."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

VERSION = 1  # of the format of card.json

Fact = str | int | float


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval over clips; None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Column:
    """A metric as the table shows it; ``better`` is the direction that is good, if one is."""

    key: str
    name: str
    better: Literal["lower", "higher", "neither"]
    about: str
    digits: int = 3


@dataclass(frozen=True)
class Row:
    """What was found about one painter: a checkpoint, or a control it is compared with.

    Args:
        name: as the table shows it; no two are the same.
        kind: the unpainted input, a control, or a network from a checkpoint.
        values: by the key of the column; absent where a metric has no meaning.
        flags: what kind of cheat it looks like, in words ("constant", "blurred", ...).
        clips: the values of each clip by key, in the order of ``Card.clips``.
        over_time: flicker (E_warp) of each pair of frames, mean over clips.
        facts: about it: its file, step, and cost, by name, ready to be shown.
        video, errors: files beside the card: a video of the clips, and a picture of where it flickers.
    """

    name: str
    kind: Literal["input", "control", "network"]
    values: dict[str, Estimate]
    flags: list[str] = field(default_factory=list)
    clips: list[Mapping[str, float | None]] = field(default_factory=list)
    over_time: list[float | None] = field(default_factory=list)
    facts: dict[str, Fact] = field(default_factory=dict)
    video: str | None = None
    errors: str | None = None


@dataclass(frozen=True)
class Card:
    """Rows judged on the same clips.

    Args:
        title: what was judged.
        data: on what, and how: content, style, flow, extractor, versions, ready to be shown.
        columns: the metrics, in the order of the table.
        rows: the input first, then controls, then networks.
        clips: names of the clips.
        notes: what a reader has to know about these figures.
        axes: keys of the two columns that are set against each other, style distance and flicker, or nothing.
        front: names of the rows that no other beats in style and flicker at once.
        sheet: file beside the card: a contact sheet, a column for each row.
        version: of the format.
    """

    title: str
    data: dict[str, Fact]
    columns: list[Column]
    rows: list[Row]
    clips: list[str]
    notes: list[str] = field(default_factory=list)
    axes: list[str] = field(default_factory=list)
    front: list[str] = field(default_factory=list)
    sheet: str | None = None
    version: int = VERSION


def write_card(card: Card, path: Path) -> None:
    """Write ``card.json``, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(_plain(asdict(card)), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def read_card(path: Path) -> Card:
    """Read what ``write_card`` wrote.

    Raises:
        ValueError: this is no card, or one of another version.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        version = read["version"]
    except (UnicodeDecodeError, json.JSONDecodeError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: expected a card.json of python -m fit.evaluate, got something else; check the path"
        ) from error
    if version != VERSION:
        raise ValueError(f"{path}: expected a card of version {VERSION}, got {version}; evaluate the checkpoints anew")
    read["columns"] = [Column(**column) for column in read["columns"]]
    read["rows"] = [_row(row) for row in read["rows"]]
    return Card(**read)


def _row(read: dict[str, Any]) -> Row:
    values = {key: Estimate(**estimate) for key, estimate in read.pop("values").items()}
    return Row(values=values, **read)


def _plain(value: Any) -> Any:
    """JSON knows no NaN and no infinity: null."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return None
    return value
