"""Reading checkpoint files. Nothing in them is ever executed: ``weights_only`` loading throughout."""

import pickle
from pathlib import Path
from typing import Any

import torch


class CheckpointError(ValueError):
    """A file that is not a usable checkpoint. The message is one line."""


def read_checkpoint(path: str | Path, map_location: str = "cpu") -> dict[str, Any]:
    """The contents of a checkpoint of this package.

    Args:
        path: a ``.ckpt`` file.
        map_location: device of the tensors.

    Raises:
        CheckpointError: no such file, damaged, or of something else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a checkpoint, got no such file; a run keeps them in its folder's checkpoints/")
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{path}: expected a checkpoint of this package, got a damaged or foreign file ({reason[:120]}); use another one"
        ) from error
    if not isinstance(checkpoint, dict) or "_class_path" not in checkpoint.get("hyper_parameters", {}):
        raise CheckpointError(
            f"{path}: expected a checkpoint of this package, got one of something else; use a run's last.ckpt"
        )
    return checkpoint
