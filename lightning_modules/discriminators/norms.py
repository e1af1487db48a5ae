"""The choices of normalisation a critic has."""

from collections.abc import Iterator
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import ParametrizationList

from lightning_modules.ops.layers import InstanceNorm2d

Norm = Literal["none", "instance", "batch", "layer", "spectral"]

_BATCH: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE: dict[int, type[nn.Module]] = {2: InstanceNorm2d, 3: nn.InstanceNorm3d}


def norm_layers(norm: Norm, channels: int, dims: Literal[2, 3]) -> list[nn.Module]:
    """The layers that follow a convolution: one or none.

    Args:
        norm: ``layer`` is GroupNorm with one group, free of any fixed size; ``spectral`` acts on weights: nothing follows.
        channels: of the convolution's output.
        dims: 2 for pictures, 3 for clips.

    Raises:
        ValueError: an unknown norm.
    """
    match norm:
        case "none" | "spectral":
            return []
        case "instance":
            return [_INSTANCE[dims](channels)]
        case "batch":
            return [_BATCH[dims](channels)]
        case "layer":
            return [nn.GroupNorm(1, channels)]
    raise ValueError(f"norm: expected one of {', '.join(get_args(Norm))}, got {norm!r}; choose one")


def has_own_bias(norm: Norm) -> bool:
    """Whether a norm adds a bias, which makes the one of the convolution before it redundant."""
    return norm in ("batch", "layer")


def apply_spectral_norm(network: nn.Module) -> None:
    """Bound every convolution's gain by 1 (Miyato et al. 2018). To be called once the weights are initialised."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            spectral_norm(module)


def spectral_norms(network: nn.Module) -> Iterator[nn.Module]:
    """The modules that keep the norms; each makes a step of its power iteration at every use while it is in training mode."""
    for module in network.modules():
        if isinstance(module, ParametrizationList):
            yield from module


@torch.no_grad()
def iterate_spectral_norm(network: nn.Module) -> None:
    """One step of power iteration for each weight."""
    for module in network.modules():
        if isinstance(module, ParametrizationList):
            module.train()
            module()
            module.eval()
