"""Going on with a run: which folder, from which checkpoint, and the same run in W&B."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from fit.folder import RUNS
from fit.ranks import PARENT, first_process
from lightning_modules.base import StyleMethod
from lightning_modules.checkpoint_file import CheckpointError, read_checkpoint
from lightning_modules.checkpoint_folder import newest_good

LAST = "last"
NOTES = "run.json"
SWEEP, RUN = "WANDB_SWEEP_ID", "WANDB_RUN_ID"  # environment variables: what a W&B agent starts


def run_folder(name: str) -> Path:
    """The folder that ``--resume`` names: a path, a folder's name in ``runs``, or ``last`` for the newest run there.

    Raises:
        ValueError: there is no such run.
    """
    if name == LAST:
        # By name, which begins with the time: that of a change would follow whatever a person last looked at.
        runs = sorted(path.parent for path in RUNS.glob("*/config.yaml"))
        if not runs:
            raise ValueError(f"--resume last: expected a run in {RUNS}/, got none; give the folder of a run")
        return runs[-1]
    for folder in (Path(name), RUNS / name):
        if (folder / "config.yaml").is_file():
            return folder
    raise ValueError(f"--resume: expected the folder of a run, with its config.yaml, got {name}; see {RUNS}/")


def trial() -> str | None:
    """What names the trial of a sweep that a W&B agent has started here, also when it starts it again; None outside of one."""
    sweep, run = os.environ.get(SWEEP), os.environ.get(RUN)
    return f"sweep {sweep}/{run}" if sweep and run else None


def job() -> str | None:
    """What names this job and stays the same when it is started again: a trial, or of a cluster. None outside of these."""
    environment = os.environ
    if found := trial():
        return found  # of which a job may run several
    if "SLURM_ARRAY_JOB_ID" in environment:
        return f"slurm {environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    if "SLURM_JOB_ID" in environment:
        return f"slurm {environment['SLURM_JOB_ID']}"
    if "TORCHELASTIC_RUN_ID" in environment:
        given = environment["TORCHELASTIC_RUN_ID"]
        return f"torchrun {given if given != 'none' else os.getppid()}"
    return None


def interrupted_run(words: list[str]) -> Path | None:
    """The run of this very job and command line, if it is started again by the cluster, or by a sweep's agent."""
    again = max(int(os.environ.get(name, "0")) for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT"))
    if not (again or trial()) or PARENT in os.environ:  # another rank is told which
        return None
    runs = [path.parent for path in sorted(RUNS.glob(f"*/{NOTES}")) if came_from(path.parent, words)]
    return next((folder for folder in reversed(runs) if (folder / "config.yaml").is_file()), None)


def came_from(folder: Path, words: list[str]) -> bool:
    """Whether this job has begun a run with this command line; a job may begin several, a trial is one."""
    said = notes(folder)
    return said.get("job") == job() and (trial() is not None or said.get("command") == words)


def notes(folder: Path) -> dict[str, Any]:
    """What a run has noted of itself."""
    path = folder / NOTES
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def take_note(folder: Path, **what: Any) -> None:
    """Add to the notes of a run."""
    part = folder / f"{NOTES}.part"
    part.write_text(json.dumps(notes(folder) | what, indent=1) + "\n", encoding="utf-8")
    os.replace(part, folder / NOTES)


def last_checkpoint(folder: Path, method: StyleMethod) -> tuple[Path | None, int]:
    """Where a run goes on: its newest good checkpoint with the generator step, or (None, 0) before its first.

    Raises:
        CheckpointError: all are damaged, or the method has other networks than the run had.
    """
    found = newest_good(folder / "checkpoints")
    if found is None:
        return None, 0
    path, passed_over = found
    for line in passed_over if first_process() else ():
        print(f"warning: {line}", file=sys.stderr)
    theirs, mine = read_checkpoint(path)["state_dict"], method.state_dict()
    shapes = [{name: getattr(value, "shape", None) for name, value in state.items()} for state in (theirs, mine)]
    differing = [name for name in shapes[0].keys() | shapes[1].keys() if shapes[0].get(name) != shapes[1].get(name)]
    if differing:
        raise CheckpointError(
            f"{path}: expected the networks of the run, got others ({len(differing)} tensors differ, {min(differing)} among "
            "them); resume without options that change networks, or start a new run with --model.init_from"
        )
    return path, int(theirs["_extra_state"]["generator_step"])
