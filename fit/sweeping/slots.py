"""Devices and processor cores shared out among trials that run at the same time."""

import os
from dataclasses import dataclass

import torch

from datamodules.cores import cores

VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Slots:
    """So many trials at a time.

    Args:
        environments: of each slot, what its trials get beside the environment of the runner.
        note: what a person should know about the sharing, in a line, or "".
    """

    environments: list[dict[str, str]]
    note: str


def share_out(parallel: int, needed: int) -> Slots:
    """Give each slot GPUs of its own, where there are any, and its part of the cores.

    With fewer GPUs than the slots need, slots share them in turn, each trial still getting as many as it needs.

    Args:
        parallel: how many slots.
        needed: GPUs of a trial; 0 where it leaves them alone.

    Raises:
        ValueError: a trial needs more GPUs than there are.
    """
    gpus = visible() if needed else []
    if gpus and len(gpus) < needed:
        raise ValueError(f"trainer.devices: expected at most {len(gpus)}, the GPUs that are visible here, got {needed}")
    groups = max(1, min(parallel, len(gpus) // max(needed, 1)))
    each = [gpus[number * len(gpus) // groups : (number + 1) * len(gpus) // groups] for number in range(groups)]
    environments = [_threads(parallel * max(needed, 1)) if parallel > 1 else {} for _ in range(parallel)]
    for number, environment in enumerate(environments):
        if gpus and parallel > 1:
            environment[VISIBLE] = ",".join(each[number % groups])
    shared = f"{parallel} trials at a time share {len(gpus)} GPU{'s' * (len(gpus) > 1)}" if gpus and groups < parallel else ""
    return Slots(environments, shared)


def visible() -> list[str]:
    """The GPUs this process may use, by the names that ``CUDA_VISIBLE_DEVICES`` takes."""
    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return named[:count] if named else [str(number) for number in range(count)]


def _threads(processes: int) -> dict[str, str]:
    """Of each of so many processes, unless a person has said so."""
    return {} if THREADS in os.environ else {THREADS: str(max(1, cores() // processes))}
