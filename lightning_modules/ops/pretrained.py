"""Networks somebody else trained: where their weights come from, and how they are kept out of training."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torchvision.models import WeightsEnum

from lightning_modules.ops.describe import Describable


class Frozen(Describable):
    """A network that is used and never trained.

    Subclasses call ``freeze`` at the end of their constructor. Weights then follow ``.to(device)``, but an optimizer does not
    find them, they are always in evaluation mode, and checkpoints do not carry them.
    """

    def freeze(self) -> None:
        """Turn all parameters and buffers into buffers that are not saved."""
        for module in self.modules():
            values = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
            for name, value in values:
                delattr(module, name)
                module.register_buffer(name, value.detach(), persistent=False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever the network around it does."""
        return super().train(False)


def read_weights(published: WeightsEnum | None, path: str | Path | None = None) -> dict[str, Tensor]:
    """A state dict in float32.

    Args:
        published: torchvision's weights, read from its cache or downloaded where no path is given; None where one must be.
        path: a file that holds a state dict; loaded with ``weights_only=True``.

    Raises:
        ValueError: the file is missing or something else, or torchvision's weights cannot be had.
    """
    state = _published(published) if path is None else _file(Path(path))
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path or published}: expected a state dict of tensors, got another object; pass another file")
    return {str(key): value.float() if value.is_floating_point() else value for key, value in state.items()}


def in_cache(url: str) -> bool:
    """Whether the file that ``torch.hub`` would download from there lies in its cache."""
    return (Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]).is_file()


def _published(weights: WeightsEnum | None) -> object:
    if weights is None:
        raise ValueError("weights: expected the path of a file, got none; pass one")
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no connection, or a damaged file in the cache
        got = str(error).splitlines()[0]
        remedy = f"download {weights.url} and pass its path as weights"
        raise ValueError(f"{weights}: expected torchvision's weights from its cache or the net, got {got}; {remedy}") from error


def _file(path: Path) -> object:
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a file of weights, got {'a folder' if path.is_dir() else 'no file'}; check the path"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of something else can raise anything
        got = f"one that does not load ({type(error).__name__})"
        raise ValueError(f"{path}: expected a state dict saved by torch.save, got {got}; pass another file") from error
