"""What runs were and how they went, from their folders or from W&B, for comparing them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fit.folder import RUNS
from fit.metrics_file import RunLogger
from lightning_modules.checkpoint_folder import numbered

Curve = list[tuple[int, float]]
STEP = "trainer/global_step"  # what Lightning's logger calls at W&B the step that a run logs


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        name: of its folder.
        options: its configuration, flat: ``model.lr`` to value. Classes are under ``model`` and ``data``.
        curves: what it logged: name to (generator step, value), in order.
        folder: on this machine, if it is here.
    """

    name: str
    options: dict[str, Any]
    curves: dict[str, Curve]
    folder: Path | None = field(default=None, compare=False)


def run_folders(root: Path = RUNS) -> list[Path]:
    """The runs in a folder that have a checkpoint, oldest first."""
    return sorted(path.parent for path in root.glob("*/checkpoints") if numbered(path))


def from_folder(folder: Path) -> Run:
    """A run from its folder.

    Raises:
        ValueError: there is no run.
    """
    if not (folder / "config.yaml").is_file():
        raise ValueError(f"{folder}: expected the folder of a run, with config.yaml, got none; check the path")
    logger = RunLogger(folder)
    rows = logger.rows() if logger.path.exists() else []
    return Run(folder.name, flat(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))), curves(rows), folder)


def from_wandb(path: str, filters: Mapping[str, Any] | None = None) -> list[Run]:
    """The runs of a W&B project, or of a sweep in it; needs the ``wandb`` extra and its login.

    Args:
        path: ``entity/project``.
        filters: of W&B's query language: ``{"sweep": "abc123"}``.

    Raises:
        ImportError: wandb is not installed.
    """
    import wandb

    found = wandb.Api().runs(path, filters=dict(filters or {}))
    return [Run(run.name, flat(run.config), curves(list(map(with_step, run.scan_history())))) for run in found]


def with_step(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of W&B's history as ``metrics.csv`` has it."""
    return {name: value for name, value in row.items() if name != STEP} | {"step": row.get(STEP)}


def curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """Rows with a column ``step`` to curves; what is empty or not a number is left out."""
    found: dict[str, Curve] = {}
    for row in rows:
        step = number(row.get("step"))
        for name, value in row.items():
            if step is not None and name != "step" and (known := number(value)) is not None:
                found.setdefault(name, []).append((int(step), known))
    return found


def number(value: Any) -> float | None:
    """A finite number, also from text."""
    try:
        read = float(value)
    except (TypeError, ValueError):
        return None
    return read if math.isfinite(read) else None


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration without nesting; what a class is built with counts as its own: ``model.init_args.lr`` is ``model.lr``."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = prefix.rstrip(".") if key in ("class_path", "init_args") else f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}." if name else "")
        else:
            found[name] = value
    return found


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The options in which runs differ: name to a value for each run, None where it has no such option."""
    names = sorted({name for run in runs for name in run.options})
    values = {name: [run.options.get(name) for run in runs] for name in names}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}
