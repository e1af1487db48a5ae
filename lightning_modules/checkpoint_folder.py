"""The ``checkpoints/`` folder of a run: numbered files, links to the newest and the best, and which of them are good."""

import os
import re
from pathlib import Path

from lightning_modules.checkpoint_file import CheckpointError, copy_checkpoint, read_checkpoint, remove_checkpoint
from lightning_modules.sidecar import part, sidecar


def step_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a generator step lies."""
    return folder / f"step-{step:06d}.ckpt"


def step_of(path: Path) -> int:
    """The generator step a numbered checkpoint is named after."""
    return int(path.stem.removeprefix("step-"))


def numbered(folder: Path) -> list[Path]:
    """The numbered checkpoints of a folder, oldest first."""
    return sorted((path for path in folder.glob("step-*.ckpt") if re.fullmatch(r"step-\d{6,}\.ckpt", path.name)), key=step_of)


def newest_good(folder: Path) -> tuple[Path, list[str]] | None:
    """The newest numbered checkpoint that can be used, and a line for each newer one, saying why it cannot.

    Args:
        folder: the ``checkpoints/`` folder of a run; it need not exist.

    Returns:
        The checkpoint and the lines; None if the folder holds no numbered checkpoint at all.

    Raises:
        CheckpointError: there are checkpoints, and none is good.
    """
    passed_over: list[str] = []
    for path in reversed(numbered(folder)):
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            passed_over.append(str(error))
        else:
            return path, passed_over
    if passed_over:
        raise CheckpointError(
            f"{folder}: expected a checkpoint that can be read, got {len(passed_over)} that cannot, the newest being "
            f"{passed_over[0].partition('; ')[0]}; use another run"
        )
    return None


def point(link: Path, target: Path) -> None:
    """Let ``last.ckpt`` or ``best.ckpt`` stand for a checkpoint beside it: a link, or a copy where there are no links.

    Raises:
        OSError: neither can be written.
    """
    try:
        part(link).unlink(missing_ok=True)
        part(link).symlink_to(target.name)
        os.replace(part(link), link)
        sidecar(link).unlink(missing_ok=True)  # of a copy that lay there
    except OSError:
        copy_checkpoint(target, link)


def prune(folder: Path, step: int, keep: int, best: int | None) -> None:
    """Remove all but the newest ``keep`` checkpoints up to ``step``, and the best.

    Those beyond ``step`` belong to a course that was given up by resuming before them, and are removed as well, with a link
    that stood for one of them.
    """
    steps = [step_of(path) for path in numbered(folder)]
    newest = [number for number in steps if number <= step][-keep:]
    for number in set(steps) - {*newest, best}:
        remove_checkpoint(step_path(folder, number))
    for path in folder.glob("*.ckpt"):
        if not path.exists():
            path.unlink()


def tidy(folder: Path) -> None:
    """Remove what a killed run was still writing: temporary files, and digests whose checkpoint never came."""
    for path in folder.glob("*.part"):
        path.unlink()
    for path in folder.glob("*.ckpt.sha256"):
        if not path.with_suffix("").exists():
            path.unlink()
