"""Networks that remember how they were built, so that a checkpoint can build them again."""

import functools
import inspect
import os
from typing import Any

from torch import nn


class Describable(nn.Module):
    """Records the constructor's arguments, however the object was made (class, partial, lambda, YAML).

    Arguments must be plain values (numbers, strings, paths, lists), which is what makes a checkpoint loadable with
    ``weights_only=True``. Factories are recorded too, and described by what they made.
    """

    init_args: dict[str, Any] = {}  # of a class without a constructor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        original = cls.__init__
        if "__init__" not in cls.__dict__:
            return

        @functools.wraps(original)
        def recording(self: Describable, *args: Any, **values: Any) -> None:
            outermost = type(self).__init__ is recording  # not that of a base class, called by a subclass's own
            if outermost:
                bound = inspect.signature(original).bind(self, *args, **values)
                bound.apply_defaults()
                recorded = {name: plain(value) for name, value in list(bound.arguments.items())[1:]}
            original(self, *args, **values)
            if outermost:
                self.init_args = recorded

        cls.__init__ = recording  # type: ignore[method-assign, assignment]

    def describe(self) -> dict[str, Any]:
        """``{"class_path": ..., "init_args": {...}}``, the form the command line and YAML files use."""
        return {"class_path": f"{type(self).__module__}.{type(self).__qualname__}", "init_args": dict(self.init_args)}


def plain(value: Any) -> Any:
    """The value in a plain type: a command line reads numbers as types of its own, which a checkpoint must not hold."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value] if isinstance(value, list) else tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
