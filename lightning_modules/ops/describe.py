"""Networks that remember how they were built, so that a checkpoint can build them again."""

import functools
import inspect
from typing import Any

from torch import nn


class Describable(nn.Module):
    """Records the constructor's arguments, however the object was made (class, partial, lambda, YAML).

    Arguments must be plain values (numbers, strings, lists), which is what makes a checkpoint loadable with
    ``weights_only=True``.
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
                recorded = dict(list(bound.arguments.items())[1:])
            original(self, *args, **values)
            if outermost:
                self.init_args = recorded

        cls.__init__ = recording  # type: ignore[method-assign, assignment]

    def describe(self) -> dict[str, Any]:
        """``{"class_path": ..., "init_args": {...}}``, the form the command line and YAML files use."""
        return {"class_path": f"{type(self).__module__}.{type(self).__qualname__}", "init_args": dict(self.init_args)}
