"""Reading checkpoint files. Nothing in them is ever executed: ``weights_only`` loading throughout."""

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
    except Exception as error:  # unpickling damaged bytes may raise almost anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{path}: expected a checkpoint of this package, got a damaged or foreign file ({reason[:120]}); use another one"
        ) from error
    settings = checkpoint.get("hyper_parameters") if isinstance(checkpoint, dict) else None
    if not isinstance(settings, dict) or "_class_path" not in settings or "state_dict" not in checkpoint:
        raise CheckpointError(
            f"{path}: expected a checkpoint of this package, got one of something else; use a run's last.ckpt"
        )
    return checkpoint
