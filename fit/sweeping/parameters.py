"""The parameters of a sweep file: their names, what they may be, and suggestions that reach both ends of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fit.sweeping.suggest import Config, library, plain

_ENDS = (1e-9, 1 - 1e-9)  # quantiles; at 0 itself the library leaves the range
_TAILS = (0.01, 0.99)  # of distributions without ends


@dataclass(frozen=True)
class Parameter:
    """One of them.

    Args:
        path: its name; several where parameters lie within parameters.
        values: all there are, or the two ends of a range.
        discrete: whether these are all.
        logarithmic: whether equal ratios of it are equally likely.
    """

    path: tuple[str, ...]
    values: list[Any]
    discrete: bool
    logarithmic: bool

    @property
    def name(self) -> str:
        """As a person would write it."""
        return ".".join(self.path)

    def of(self, args: Any) -> Any:
        """Its value in a suggestion."""
        for name in self.path:
            args = args.get(name) if isinstance(args, dict) else None
        return args


def parameters(config: Config) -> list[Parameter]:
    """Those of a file, constants too, in the library's order: by name."""
    return [_parameter(found) for found in _all(config)]


def grid_size(config: Config) -> int:
    """How many trials a grid has."""
    sizes = [len(set(map(repr, _grid_values(found)))) for found in _all(config)]
    return math.prod(sizes)


def probes(config: Config) -> list[dict[str, Any]]:
    """Suggestions in which every value that the file names, and both ends of every range, come up at least once."""
    found = _all(config)
    values = [_parameter(each).values for each in found]
    made = []
    for number in range(max(map(len, values))):
        for each, known in zip(found, values, strict=True):
            each.value = known[number % len(known)]
        made.append({name: plain(given["value"]) for name, given in found.to_config().items()})
    return made


def _all(config: Config) -> Any:
    return library().params.HyperParameterSet.from_config(config["parameters"])


def _parameter(found: Any) -> Parameter:
    values = _values(found)
    path = tuple(found.name.split(library().params.HyperParameterSet.NESTING_DELIMITER))
    discrete = "values" in found.config or "value" in found.config
    return Parameter(path, values, discrete, "log" in str(found.config.get("distribution")))


def _values(found: Any) -> list[Any]:
    if "values" in found.config:
        return list(found.config["values"])
    if "value" in found.config:
        return [found.config["value"]]
    quantiles = _ENDS if "max" in found.config else _TAILS
    return [plain(found.ppf(quantile)) for quantile in quantiles]


def _grid_values(found: Any) -> Sequence[Any]:
    """As the library spells out a range in a grid."""
    if "values" in found.config or "value" in found.config:
        return _values(found)
    low, high = found.config["min"], found.config["max"]
    return range(math.ceil((high - low) / found.config["q"])) if "q" in found.config else range(low, high + 1)
