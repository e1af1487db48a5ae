"""Whether ``python -m fit`` knows the options that a sweep file sets, and takes their values: asked of its own parser."""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from fit.cli import StyleCLI, command_line

Args = dict[str, Any]


class _Parsed(StyleCLI):
    """Reads a command line and builds nothing."""

    def _set_seed(self) -> None:
        """Nothing random happens."""

    def instantiate_classes(self) -> None:
        """Leave the configuration as it is."""


def words_of_fit(command: Sequence[str]) -> list[str] | None:
    """The options of ``python -m fit`` in a command; None if it runs something else."""
    for number, word in enumerate(command[:-1]):
        if word == "-m" and command[number + 1] == "fit":
            return list(command[number + 2 :])
    return None


def check(probes: Iterable[Args], words: Callable[[Args], list[str]]) -> tuple[list[str], int]:
    """Parse what the trials of a sweep will say.

    Args:
        probes: suggestions.
        words: the options of a suggestion, for ``python -m fit``.

    Returns:
        A line for each mistake, and how many GPUs a trial needs at most; 0 where it is told to leave them alone.
    """
    found: dict[str, None] = {}
    devices = 0
    for probe in probes:
        left = dict(probe)
        while True:
            parsed = parse(words(left))
            if not isinstance(parsed, str):
                devices = max(devices, 0 if parsed.trainer.accelerator == "cpu" else parsed.trainer.devices)
                break
            found[parsed] = None
            culprit = _culprit(parsed, left)
            if culprit is None:
                break
            del left[culprit]  # there may be more
    return list(found), devices


def parse(words: list[str]) -> Any:
    """The configuration that a command line means, or the parser's line about what is wrong with it."""
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            return command_line(_Parsed, words).config
    except SystemExit:
        lines = [line.removeprefix("error: ") for line in said.getvalue().splitlines() if line.startswith("error: ")]
        return lines[-1] if lines else "the command line cannot be parsed"
    except (ValueError, OSError, ImportError) as error:
        return " ".join(str(error).split())


def _culprit(message: str, args: Args) -> str | None:
    """The parameter that a message is about."""
    for option in re.findall(r"--([\w.]+)", message):
        for name in args:
            if name == option or name.endswith(f".{option}"):
                return name
    return None
