"""Command lines that say each mistake in one line."""

import argparse
import re
from collections.abc import Callable
from typing import NoReturn

from fit.messages import fail, nearest


class Parser(argparse.ArgumentParser):
    """Says each mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2; for an unknown option name the nearest known one."""
        unknown = re.search(r"unrecognized arguments: -*([\w-]*)", message)
        if unknown:
            instead = nearest(unknown[1], (option.lstrip("-") for action in self._actions for option in action.option_strings))
            message = f"there is no option {message.split()[2]}; {f'did you mean {instead}?' if instead else 'see --help'}"
        fail(message)


def at_least(least: int) -> Callable[[str], int]:
    """A whole number of an option, and not too small a one."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {text}")
        return int(text)

    return number


def size(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH, such as 256x448, got {text}")
    return int(found[1]), int(found[2])
