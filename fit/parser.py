"""The parser of the command line: class names without their modules, and each mistake in one line with the nearest name."""

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar, NoReturn

from jsonargparse import _typehints
from lightning.pytorch.cli import LightningArgumentParser

import datamodules
import lightning_modules
import lightning_modules.discriminators
import lightning_modules.generators
from datamodules.base import ClipDataModule
from fit.messages import fail, nearest, shorten
from lightning_modules.base import StyleMethod
from lightning_modules.ops.describe import Describable

# Options people know from elsewhere, and what has taken their place.
MOVED = {
    "trainer.gradient_clip_val": "model.clip",
    "trainer.accumulate_grad_batches": "model.accumulate",
    "trainer.max_steps": "model.steps",
    "trainer.max_epochs": "model.steps",
    "data.seed": "seed",
    "model.seed": "seed",
}
OWN_PACKAGES = (lightning_modules, lightning_modules.generators, lightning_modules.discriminators, datamodules)


def import_modules(*packages: ModuleType) -> None:
    """Make every class of these packages known, so that its name alone stands for it."""
    for package in packages:
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def concrete(kind: type) -> Iterator[type]:
    """All descendants that can be built."""
    child: type
    for child in kind.__subclasses__():
        if not inspect.isabstract(child):
            yield child
        yield from concrete(child)


def options_of(kind: type) -> set[str]:
    """The names of a constructor's arguments, and of its parents' as long as it passes ``options`` on to them."""
    names: set[str] = set()
    for base in kind.__mro__:
        names |= set(inspect.signature(base.__init__).parameters)  # type: ignore[misc]
        if "options" not in inspect.signature(base.__init__).parameters:  # type: ignore[misc]
            break
    return names - {"self", "options"}


@contextmanager
def classes_start_anew() -> Iterator[None]:
    """While parsing, a class named anew has its own defaults.

    jsonargparse keeps those of the class it replaces wherever they fit: "--model Realtime" would silently get the learning rate
    of CycleGAN. There is no setting for it.
    """
    name = "discard_init_args_on_class_path_change"
    kept = getattr(_typehints, name)

    def forget(parser: Any, previous: Any, chosen: Any) -> None:
        if previous and "init_args" in previous and previous["class_path"] != chosen["class_path"]:
            for argument, _ in list(previous["init_args"].items(branches=True, nested=False)):
                previous["init_args"].pop(argument)

    setattr(_typehints, name, forget)
    try:
        yield
    finally:
        setattr(_typehints, name, kept)


def gathered(config: Mapping[str, Any]) -> dict[str, Any]:
    """Put the options of a class, where a file has them beside its name as sweeps do, into the class.

    ``{"a.b": "Name", "a.b.c": 1}``, in whatever order, to ``{"a.b": {"class_path": "Name", "init_args": {"c": 1}}}``.
    jsonargparse takes one after the other: options before the name get lost, and those after it are looked for in the class
    that the name replaces.
    """
    left = dict(config)
    for key in sorted(config, key=len, reverse=True):  # a class within another first
        own = {name: left[name] for name in left if name.startswith(f"{key}.")}
        if not own or not isinstance(left[key], str):
            continue
        left = {name: value for name, value in left.items() if name not in own}
        names = (name.removeprefix(f"{key}.").removeprefix("init_args.") for name in own)
        left[key] = {"class_path": left[key], "init_args": dict(zip(names, own.values(), strict=True))}
    return left


class Parser(LightningArgumentParser):
    """Names what is wrong as the person typed it."""

    # Of the class, because parsers made inside read the options of each method, data module and network.
    outer: ClassVar["Parser"]
    given: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        import_modules(*OWN_PACKAGES)

    def _apply_actions(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        """As its parent, of what a file says after it was ``gathered``."""
        return super()._apply_actions(gathered(cfg) if isinstance(cfg, dict) else cfg, *args, **kwargs)

    def format_help(self, *args: Any) -> str:
        """As its parent, without the list of every logger and callback of Lightning."""
        return re.sub(r",\s+known\s+subclasses:\s+lightning\.[^)]*\)", ")", super().format_help(*args))

    def remember(self, words: Sequence[str]) -> None:
        """Keep the options given, for the messages; refuse those that have moved. For the outermost parser."""
        Parser.outer = self
        Parser.given = [word[2:].partition("=")[0].replace(".init_args", "") for word in words if word.startswith("--")]
        for option in self.given:
            if option in MOVED:
                self.unknown(option)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Leave with status 2 and one line."""
        if unknown := re.search(r"unrecognized arguments: --([\w.]+)|[Oo]ption '([\w.]+)'", message):
            group = re.search(r"Group '([\w.]+)'", message)
            option = f"{group[1]}.{unknown[2]}" if group else unknown[1] or unknown[2]
            self.unknown(next((word for word in self.given if word.endswith(f".{option}")), option))
        if missing := re.search(r"Parser key \"([\w.]+)\".*dot import path string: (\S+)", message, re.DOTALL):
            self.missing_class(self.spelt_out(missing[1]), missing[2])
        if required := re.search(r"arguments are required: ([\w., ]+)", message):
            fail(" ".join(f"--{self.spelt_out(option)} is required;" for option in required[1].split(", ")) + " see --help")
        fail(re.sub(r"^([\w.]+):", lambda key: f"--{self.spelt_out(key[1])}:", shorten(message)))

    def spelt_out(self, option: str) -> str:
        """The option with its group: as it was typed, else as it is known."""
        return next((word for word in [*self.given, *sorted(self.known())] if word.endswith(f".{option}")), option)

    def unknown(self, option: str) -> NoReturn:
        """Name the option there is instead."""
        instead = f"--{MOVED[option]}" if option in MOVED else nearest(option, self.known())
        fail(f"there is no option --{option}; {f'did you mean {instead}?' if instead else 'see --help'}")

    def known(self) -> set[str]:
        """Every option of every class, as a person would type it."""
        options = {key.replace(".init_args", "") for key, _ in self.outer.get_defaults().items()}
        groups: tuple[tuple[str, type], ...] = (("model", StyleMethod), ("data", ClipDataModule))
        for group, kind in groups:
            options |= {f"{group}.{name}" for child in concrete(kind) for name in options_of(child)}
        return options

    def missing_class(self, key: str, name: str) -> NoReturn:
        """Name the class there is instead."""
        names = sorted({child.__name__ for kind in (StyleMethod, ClipDataModule, Describable) for child in concrete(kind)})
        found = [n for n in names if name.lower() in n.lower()] or difflib.get_close_matches(name, names, n=1)
        fail(f"--{key}: expected the name of a class, got {name}; {f'did you mean {found[0]}?' if found else 'see --help'}")
