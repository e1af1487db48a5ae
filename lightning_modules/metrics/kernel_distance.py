"""Kernel distance between two sets of pictures, on features of any extractor: unbiased even for few pictures."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torchmetrics import Metric

from datamodules.random import rng
from lightning_modules.metrics.base import interval_of, poisson_weights
from lightning_modules.ops.statistics import full_precision

KEY, NUMBER, FEATURES = 0, 1, 2  # columns of the pictures kept


def pooled(features: Sequence[Tensor]) -> Tensor:
    """Spatial means of all layers ``(N, C, h, w)``, side by side: ``(N, sum of C)``."""
    return torch.cat([full_precision(layer.detach()).mean((-2, -1)) for layer in features], dim=1)


class KernelDistance(Metric):
    """MMD^2 of pooled features between pictures judged and the style's.

    Formula: mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j), k(x, y) = (x.y / d + 1)^3, for d
    features. Layers are first divided by the root mean square of the style's features in them, and x.y / d is the mean over
    layers, so that all count alike; with ``relative=False`` there is one layer, taken as it is.
    Range: about 0 for two samples of one set, which may come out below it (unbiased), else larger. Direction: lower is better,
    in one style and with one extractor only, whose name belongs into the metric's own. It is the KID only of Inception
    features with ``relative=False``.
    Source: Binkowski et al. 2018, "Demystifying MMD GANs", equation 4 (estimator of Gretton et al. 2012) and section 4; on the
    whole of the sets, where the published KID is the mean over random subsets of them.

    Memory is bounded: of each side at most ``most`` pictures are kept, those with the smallest random keys of (seed, number),
    so that the choice depends on no order, batch size or rank. The interval weighs clips as ``ClipMetric`` does.

    Args:
        channels: of the extractor's layers.
        resamples, seed: as in ``ClipMetric``.
        most: pictures kept of each side, >= 2.
        relative: whether layers are put in relation to the style's.
    """

    full_state_update = False
    is_differentiable = False
    judged: Tensor
    style: Tensor
    seen: Tensor

    def __init__(
        self, channels: Sequence[int], resamples: int = 0, seed: int = 0, most: int = 1000, relative: bool = True
    ) -> None:
        super().__init__()
        self.channels, self.resamples, self.seed, self.most, self.relative = list(channels), resamples, seed, most, relative
        nothing = torch.full((most, FEATURES + sum(channels)), torch.inf, dtype=torch.float64)
        for name in ("judged", "style"):
            self.add_state(name, nothing.clone(), dist_reduce_fx=partial(_smallest, most=most))
        self.add_state("seen", torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, features: Tensor, real: bool, numbers: list[int] | None = None) -> None:
        """Take pictures.

        Args:
            features: ``(N, sum of channels)``, of ``pooled``.
            real: whether they are of the style, else of the pictures judged.
            numbers: N numbers of the clips (or style pictures), the same on every run and different on each rank; pictures of
                one clip have one number. None counts those seen before on this rank.

        Raises:
            ValueError: features that the metric was not made for.
        """
        if features.dim() != 2 or features.shape[1] != sum(self.channels):
            raise ValueError(
                f"KernelDistance: expected pooled features (N, {sum(self.channels)}), got {tuple(features.shape)}; "
                "use one extractor throughout"
            )
        first, name = int(self.seen[int(real)]), "style" if real else "judged"
        numbers = list(range(first, first + len(features))) if numbers is None else numbers
        keys = [rng(self.seed, "kept", 0, number).random() for number in numbers]
        named = torch.tensor([keys, numbers], dtype=torch.float64).T
        rows = torch.cat([named.to(features.device), features.detach().double()], dim=1)
        setattr(self, name, _smallest(torch.stack([getattr(self, name), _filled(rows, self.most)]), self.most))
        self.seen[int(real)] += len(features)

    def compute(self) -> Tensor:
        """MMD^2 of the pictures kept, a scalar in float64; NaN with less than two on either side."""
        return self._mmd(torch.ones(1, len(_kept(self.judged)), dtype=torch.float64))[0]

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where the distance lies for most choices of clips like these; NaN without resamples. As ``ClipMetric.interval``."""
        numbers = _kept(self.judged)[:, NUMBER].long().tolist()
        if not numbers or not self.resamples:
            return float("nan"), float("nan")
        return interval_of(self._mmd(poisson_weights(self.seed, numbers, self.resamples).T), level)

    def _mmd(self, weights: Tensor) -> Tensor:
        """Of the pictures judged as often as ``weights (R, N)`` say: ``(R,)``."""
        ours, style = (_kept(rows)[:, FEATURES:] for rows in (self.judged, self.style))
        scale = torch.cat([self._scale(layer) for layer in torch.split(style, self.channels, dim=1)])
        return mmd(ours * scale, style * scale, weights.to(ours))

    def _scale(self, layer: Tensor) -> Tensor:
        """What the features of a layer are multiplied by, ``(C,)``, for x.y to be that of the formula divided by d."""
        count = layer.shape[1]
        size = layer.square().mean() * len(self.channels) if self.relative else layer.new_ones(())
        return (1 / (count * size)).sqrt().expand(count)


def mmd(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Unbiased MMD^2 with the kernel (x.y + 1)^3.

    Args:
        x: ``(N, d)``.
        y: ``(M, d)``.
        weights: ``(R, N)``, >= 0: how often each of x counts; pairs of one with itself never do.

    Returns:
        ``(R,)``, NaN where less than two are left.
    """
    k_xx, k_yy, k_xy = ((a @ b.T + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    k_xx.fill_diagonal_(0)
    count = weights.sum(1)
    within = ((weights @ k_xx) * weights).sum(1) / (count.square() - weights.square().sum(1))
    style = (k_yy.sum() - k_yy.trace()) / (len(y) * (len(y) - 1)) if len(y) > 1 else y.new_tensor(torch.nan)
    return within + style - 2 * (weights @ k_xy).sum(1) / (count * len(y))


def _kept(rows: Tensor) -> Tensor:
    """Without the rows that hold nothing."""
    return rows[rows[:, KEY].isfinite()]


def _filled(rows: Tensor, most: int) -> Tensor:
    """``(rounded up to most, ...)``: followed by rows that hold nothing; of more than ``most`` only the smallest."""
    rows = _order(rows)[:most]
    return torch.cat([rows, rows.new_full((most - len(rows), rows.shape[1]), torch.inf)])


def _smallest(tables: Tensor, most: int) -> Tensor:
    """The ``most`` rows of smallest key of tables ``(ranks, rows, columns)``; also how ranks are brought together."""
    return _order(tables.flatten(0, 1))[:most]


def _order(rows: Tensor) -> Tensor:
    """By key; pictures of one clip, whose keys are equal, by what they show."""
    rows = rows[rows[:, FEATURES].argsort(stable=True)]
    return rows[rows[:, KEY].argsort(stable=True)]
