"""Checkpoint file to method."""

from pathlib import Path

from lightning.pytorch.cli import instantiate_module

from lightning_modules.base import StyleMethod
from lightning_modules.checkpoint_file import CheckpointError, read_checkpoint

TRAINING_ONLY = {"extractor": None, "content_weight": 0.0, "gram_weight": 0.0, "flow": None, "teacher": None}
TRAINING_ONLY |= {"output_weight": 0.0, "features_weight": 0.0, "motion_weight": 0.0}


def load_method(path: str | Path, map_location: str = "cpu") -> StyleMethod:
    """Build the method a checkpoint holds, with its weights, ready to repaint.

    Args:
        path: a ``.ckpt`` file.
        map_location: device to load to.

    Raises:
        CheckpointError: no such file, damaged, or of something else.
    """
    checkpoint = read_checkpoint(path, map_location)
    settings = {k: v for k, v in checkpoint["hyper_parameters"].items() if k != "_instantiator"}
    # What only training needs, such as a pretrained network by its path, may be missing on this machine.
    settings |= {name: value for name, value in TRAINING_ONLY.items() if name in settings}
    try:
        method = instantiate_module(StyleMethod, settings)  # type: ignore[type-abstract]
        method.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # the parser raises several kinds, and all mean the same to a user
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{path}: expected weights and settings of {settings['_class_path']}, got others ({reason[:160]}); "
            "use the version of this package that wrote it"
        ) from error
    return method.to(map_location).eval()
