"""What style a run was trained on, from its configuration."""

from pathlib import Path
from typing import Any

import yaml

from datamodules.paintings import PALETTES
from fit.evaluation.clips import Look


def look_of(run: Path | None) -> Look:
    """The style of a run, or this project's own paintings where no run says anything else.

    Args:
        run: its folder, with ``config.yaml``.
    """
    if run is None or not (run / "config.yaml").exists():
        return Look()
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    data = config.get("data", {})
    options, name = data.get("init_args", {}), data.get("class_path", "")
    if options.get("style"):
        return Look(Path(options["style"]).expanduser())
    if not name.endswith(".MovingScenes"):
        return Look()
    palette = options.get("palette", "night")
    # The seed of a run stands at its top alone: what is linked to it is not written again.
    return Look(None, tuple(PALETTES) if palette == "all" else (palette,), int(config.get("seed_everything", 0)))


def stored(look: Look) -> dict[str, Any]:
    """A style in plain values, as an exported network names it."""
    return {"folder": look.folder and str(look.folder), "palettes": list(look.palettes), "seed": look.seed}


def restored(values: dict[str, Any]) -> Look:
    """The reverse."""
    return Look(values["folder"] and Path(values["folder"]), tuple(values["palettes"]), values["seed"])
