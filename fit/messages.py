"""One line for each mistake: what was expected, what came, what to do."""

import difflib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from lightning.fabric.utilities.exceptions import MisconfigurationException

from datamodules.errors import DataError
from fit.ranks import RankLost, first_process

ROOT = Path(__file__).resolve().parents[1]


def fail(message: object, status: int = 2) -> NoReturn:
    """Say one line on standard error and leave: with status 2 after a mistake, with 1 where something went wrong by itself."""
    who = "" if first_process() else f"rank {os.environ.get('RANK') or os.environ.get('LOCAL_RANK')}: "
    print(f"error: {who}{' '.join(str(message).split())}", file=sys.stderr)
    raise SystemExit(status)


def explain(error: BaseException) -> str | None:
    """The line to show for an error while training, or None for a bug, which needs its traceback.

    A ValueError is a person's mistake where this project's own code raised it, and a file error where it names the file.
    A loader process passes errors on as text.
    """
    text = str(error)
    if f"Caught {DataError.__name__}" in text:
        return text.strip().splitlines()[-1].partition(f"{DataError.__name__}: ")[2]
    if type(error).__module__.startswith("wandb."):
        return f"W&B: {text} To log without it for now: WANDB_MODE=offline"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    ours = isinstance(error, ValueError) and raised_here(error.__traceback__)
    return text if ours or isinstance(error, DataError | MisconfigurationException) else None


def died(error: BaseException) -> str | None:
    """The line to show where another process of the run has died, or None for any other error."""
    text = str(error)
    if isinstance(error, RankLost):
        return text
    if "DataLoader worker" in text:
        what = text.strip().splitlines()[0]
        return f"{what} A loader process died; if it was killed for memory, lower data.workers or data.batch_size."
    if isinstance(error, ConnectionError | EOFError) and not getattr(error, "filename", None):
        return "a loader process died while it was handing over a batch; what it said stands above"
    if isinstance(error, RuntimeError) and re.search(r"Connection (closed|reset) by peer|Gloo connectFullMesh failed", text):
        return "another rank is gone; what it said stands above, or in its own log"
    return None


def raised_here(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame belongs to this project."""
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    path = Path(traceback.tb_frame.f_code.co_filename).resolve() if traceback else Path()
    packages = [ROOT / name for name in ("fit", "lightning_modules", "datamodules")]
    return any(package in path.parents for package in packages)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known option most like this one, as a person would type it, or "".

    Args:
        name: an option without dashes, with or without its group: "model.lrr", "lrr".
        known: options with their groups.
    """
    known = sorted(known)
    for option in known:
        if option.rpartition(".")[2] == name.rpartition(".")[2]:
            return f"--{option}"
    options = {option if "." in name else option.rpartition(".")[2]: option for option in known}
    found = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    return f"--{options[found[0]]}" if found else ""


def shorten(message: str) -> str:
    """A parser's message as one sentence a person reads: "lr: expected float, got abc"."""
    message = " ".join(message.split())
    message = re.sub(r"Parser key \"([\w.]+)\": ", r"\1: ", message)
    message = re.sub(r"<class '([\w.]+)'>", lambda match: match[1].rpartition(".")[2], message)
    message = re.sub(r"typing\.Literal\[([^]]*)\]", lambda match: "one of " + match[1].replace("'", ""), message)
    message = re.sub(r"Expected an? ", "expected ", message)
    # Of numbers with a bound, what was given stands in two places, and the bound in the type's name.
    message = re.sub(r"Not of type (NonNegative|Positive)Int: (?:.*: [\"'](.*)[\"']|(\S+) does not.*)", whole_number, message)
    message = re.sub(r"expected tuple(?: with (\d+) elements)?(\.|$)", values_in_brackets, message)
    return message.replace(". Got value: ", ", got ")


def whole_number(found: re.Match[str]) -> str:
    """What a parser says about a number with a bound, as ``shorten`` finds it, in words."""
    return f"expected a whole number {'>= 1' if found[1] == 'Positive' else '>= 0'}, got {found[2] or found[3]}"


def values_in_brackets(found: re.Match[str]) -> str:
    """The same of values that belong together."""
    return f"expected {f'{found[1]} values' if found[1] else 'values'} in brackets, such as [1,2]{found[2]}"
