"""Which parameters mattered for the metric: importance in a random forest, as in W&B's panel of that name, and direction."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.frame import LETTER, WIDTH, picture
from fit.sweeping.parameters import Parameter
from fit.sweeping.table import short
from fit.sweeping.trial import Trial
from lightning_modules.pictures import shortened

LEAST = 6  # trials, below which a forest sees nothing
_TREES = 300
_LINE, _LONGEST = 34.0, 30

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """Of the parameters for the ranks of the trials.

    Args:
        shares: of each parameter by its name, the largest first; they add up to 1.
        trends: rank correlation (Spearman) of a parameter with the metric, where it has an order.
        fit: share of the variance of ranks that the forest predicts of trials it has not seen (out-of-bag R squared); at 0 or
            below the shares mean nothing.
        trials: how many there were to learn from.
    """

    shares: dict[str, float]
    trends: dict[str, float]
    fit: float
    trials: int


def importance(trials: Sequence[Trial], varied: Sequence[Parameter], metric: str) -> Importance | None:
    """Learnt from the trials that have a value of the metric; None where these are too few, or nothing varies.

    Both sides are ranks, so that neither an outlier nor the scale of a parameter decides. The importance is the mean decrease
    in impurity (Breiman 2001) of scikit-learn's forest; a parameter without an order has a column for each of its values.
    """
    known = [trial for trial in trials if trial.state in ("finished", "stopped") and metric in trial.values]
    target = _ranks([trial.values[metric] for trial in known])
    values = {parameter.name: [parameter.of(trial.args) for trial in known] for parameter in varied}
    values = {name: each for name, each in values.items() if len(set(map(short, each))) > 1}
    if len(known) < LEAST or not values or np.ptp(target) == 0:
        return None
    columns = {name: _columns(each) for name, each in values.items()}
    found, fit = _forest(np.column_stack(list(columns.values())), target)
    ends = np.cumsum([column.shape[1] for column in columns.values()])
    shares = {name: float(part.sum()) for name, part in zip(columns, np.split(found, ends[:-1]), strict=True)}
    trends = {name: _correlation(_ranks(each), target) for name, each in values.items() if _ordered(each)}
    order = sorted(shares, key=lambda name: -shares[name])
    return Importance({name: shares[name] for name in order}, trends, fit, len(known))


def _forest(inputs: Numbers, target: Numbers) -> tuple[Numbers, float]:
    from sklearn.ensemble import RandomForestRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trials that are in every tree
        forest = RandomForestRegressor(_TREES, oob_score=True, random_state=0).fit(inputs, target)
    return forest.feature_importances_, float(forest.oob_score_)


def _ordered(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _columns(values: Sequence[Any]) -> Numbers:
    if _ordered(values):
        return _ranks(values)[:, None]
    names = [short(value) for value in values]
    return np.array([[float(name == each) for each in sorted(set(names))] for name in names])


def _ranks(values: Sequence[float]) -> Numbers:
    """From 0 on; equal values share their mean."""
    _, inverse, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Numbers = ends - (counts + 1) / 2
    return middle[inverse]


def _correlation(one: Numbers, other: Numbers) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def bars(found: Importance) -> Markup:
    """A bar for each parameter."""
    names = {name: shortened(name, _LONGEST) for name in found.shares}
    left = 14 + max(map(len, names.values())) * LETTER
    room = WIDTH - 190 - left
    largest = max(found.shares.values()) or 1.0
    parts: list[Markup] = []
    for number, (name, share) in enumerate(found.shares.items()):
        y = 8 + _LINE * number
        width = room * share / largest
        parts.append(tag("text", tag("title", name), names[name], x=left - 8, y=y + 17, text_anchor="end", class_="key"))
        parts.append(tag("rect", x=left, y=y, width=max(width, 1.0), height=_LINE - 12, class_="disc c0"))
        trend = f", rank correlation {found.trends[name]:+.2f}" if name in found.trends else ""
        parts.append(tag("text", f"{share:.0%}{trend}", x=left + width + 8, y=y + 16, class_="tick"))
    about = ", ".join(f"{name} {share:.0%}" for name, share in found.shares.items())
    return picture("Importance of the parameters", about, 16 + _LINE * len(names), *parts)
