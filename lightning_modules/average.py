"""Exponential moving averages of generators: what is shown, judged and shipped."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def averaged(network: Network) -> Network:
    """A frozen copy that will follow ``network``; in evaluation mode, for it paints and is not trained."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """``average`` = d average + (1 - d) network, with d = min(decay, (1 + step) / (10 + step)) so that early weights fade.

    Args:
        average: the slow copy.
        network: the trained one.
        decay: in [0, 1).
        step: updates so far, >= 0.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), share)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)
