"""Compiling networks, on machines that can."""

from collections.abc import Iterable

import torch
from torch import nn


def compile_in_place(networks: Iterable[nn.Module], device: torch.device) -> None:
    """Compile each network when it is first called; its weights and the keys of its state stay as they are.

    Args:
        networks: what to compile.
        device: where they will compute.

    Raises:
        ValueError: ``torch.compile`` does not work on this machine.
    """
    try:
        torch.compile(torch.neg)(torch.zeros(8, device=device))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        needed = "a C++ compiler (g++, or the one CXX names) and Python's headers" if device.type == "cpu" else "Triton and gcc"
        raise ValueError(
            f"compile: expected a machine on which torch.compile works, got on {device.type}: {reason}; "
            f"install {needed}, or do not compile"
        ) from error
    # On a CPU small networks wait for Python between operators, and threads that paint for one another at its lock.
    options = {"cpp_wrapper": True} if device.type == "cpu" else None
    for network in networks:
        # A step uses few sizes, and the norms' loops over pictures would be unrolled for each of them anyway.
        network.compile(dynamic=False, options=options)
