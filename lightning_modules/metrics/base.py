"""What the metrics share: sums over clips, and resampled sums for intervals."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from datamodules.random import rng


class ClipMetric(Metric, ABC):
    """A number that is a function of sums over clips.

    Sums are what makes it the same for any batch size and number of ranks, and what keeps its memory from growing. Its
    confidence interval comes from the bootstrap over clips in the form that streams: each clip enters each resample as often
    as a Poisson variable of mean 1 says, which depends on the seed and the clip's number alone (Chamandy et al. 2012,
    "Estimating uncertainty for massive data streams"). Metrics with one seed resample alike, so that rows can be compared.

    Subclasses implement ``update``, which ends in ``add``, and ``value``.

    Args:
        size: how many sums.
        resamples: of the bootstrap, >= 0; 0 gives no interval.
        seed: of the resamples.
    """

    full_state_update = False
    is_differentiable = False
    sums: Tensor
    clips: Tensor

    def __init__(self, size: int, resamples: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.resamples, self.seed = resamples, seed
        self.add_state("sums", torch.zeros(1 + resamples, size, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("clips", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def add(self, statistics: Tensor, numbers: list[int] | None = None) -> None:
        """Take what clips contribute.

        Args:
            statistics: ``(B, size)``, a row for each clip (or picture).
            numbers: of the clips, which name them in the resamples, the same on every run and different on each rank; rows of
                one clip have one number. None counts those seen before on this rank.
        """
        first = int(self.clips)
        numbers = list(range(first, first + len(statistics))) if numbers is None else numbers
        draws = poisson_weights(self.seed, numbers, self.resamples)
        weights = torch.cat([draws.new_ones(len(draws), 1), draws], dim=1).T
        self.sums += weights.to(self.sums) @ statistics.to(self.sums)
        self.clips += len(statistics)

    @abstractmethod
    def value(self, sums: Tensor) -> Tensor:
        """The metric from sums ``(..., size)`` in float64, NaN where undefined. From one clip's statistics: its own value."""

    def compute(self) -> Tensor:
        """The metric over all clips so far, a scalar; NaN without any."""
        return self.value(self.sums[0])

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where the metric lies for most choices of clips like these: quantiles over the resamples; NaN without these.

        Args:
            level: share of the resamples within it, in (0, 1).
        """
        with self.sync_context(self.dist_sync_fn, should_sync=self._to_sync, should_unsync=self._should_unsync):
            return interval_of(self.value(self.sums[1:]), level)  # of all ranks, as torchmetrics has it for ``compute``


def poisson_weights(seed: int, numbers: list[int], resamples: int) -> Tensor:
    """How often each clip enters each resample, ``(clips, resamples)`` in float64; a function of the seed and its number."""
    draws = [rng(seed, "bootstrap", 0, number).poisson(1.0, resamples) for number in numbers]
    return torch.from_numpy(np.stack(draws)).double()


def interval_of(values: Tensor, level: float = 0.95) -> tuple[float, float]:
    """Quantiles of the resamples' values that leave out (1 - level) / 2 on each side; NaN without any."""
    if not values.isfinite().any():
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = values.nanquantile(values.new_tensor([tail, 1 - tail])).tolist()
    return low, high
