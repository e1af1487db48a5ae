"""The only source of randomness on the input side.

Every random choice is a function of (seed, stream, epoch or step, sample): never of how many workers or ranks there are,
nor of what was drawn before. This is what makes resuming and multi-GPU training exact without storing generator states.
"""

from typing import NamedTuple
from zlib import crc32

import numpy as np


class Draw(NamedTuple):
    """Names one sample of one epoch; all that is random about it follows from these three numbers."""

    seed: int
    epoch: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


def rng(seed: int, stream: str, step: int = 0, sample: int = 0) -> np.random.Generator:
    """A generator that depends on its arguments alone.

    Args:
        seed: of the run, >= 0.
        stream: what the numbers are for; different streams are independent.
        step: epoch or batch number, >= 0.
        sample: index within the epoch or batch, >= 0.
    """
    return np.random.default_rng([seed, crc32(stream.encode()), step, sample])
