"""The command of a trial, built as the W&B agent builds it, so that a sweep file means the same here and there.

The agent's rules, read from wandb 0.31 and compared with its own functions by the tests: ``${envvar:NAME}`` may stand inside a
word, and an unset variable leaves its name; any other macro is a whole word and is replaced by as many words as it means.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fit.messages import nearest

DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
JSON_FILE = "${args_json_file}"
_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")

Args = Mapping[str, Any]


def build(template: Sequence[Any], args: Args, program: str, json_file: Path | str, interpreter: str) -> list[str]:
    """The words to run.

    Args:
        template: the file's ``command``; empty for the agent's default one.
        args: the suggestion, values by the names of the parameters.
        program: the file's ``program``.
        json_file: what ``${args_json_file}`` stands for.
        interpreter: what ``${interpreter}`` stands for; the agent's is ``python``.
    """
    meanings = {**forms(args), "program": [program], "interpreter": [interpreter], "args_json_file": [str(json_file)]}
    words: list[str] = []
    for word in filled(template):
        name = macro(word)
        words += [word] if name is None else meanings.get(name, [])
    return words


def filled(template: Sequence[Any]) -> list[str]:
    """The words of a command with the environment's variables in their places."""
    return [_VARIABLE.sub(lambda found: os.environ.get(found[1], found[1]), str(word)) for word in template or DEFAULT]


def forms(args: Args) -> dict[str, list[str]]:
    """A suggestion in each of the agent's forms. Values are written as Python prints them: True, None, 1e-05."""
    pairs = [f"{name}={value}" for name, value in args.items()]
    return {
        "env": ["/usr/bin/env"],
        "args": [f"--{pair}" for pair in pairs],
        "args_no_equals": [word for name, value in args.items() for word in (f"--{name}", str(value))],
        "args_no_hyphens": pairs,
        "args_no_boolean_flags": [word for name, value in args.items() if (word := _flag(name, value))],
        "args_json": [json.dumps(dict(args))],
        "args_dict": list(args),
        "args_append_hydra": [f"+{pair}" for pair in pairs],
        "args_override_hydra": [f"++{pair}" for pair in pairs],
    }


def macro(word: str) -> str | None:
    """The name of the macro that a word is, or None."""
    return word[2:-1] if word.startswith("${") and word.endswith("}") else None


def problems(template: Sequence[Any], program: str) -> list[str]:
    """What is wrong with a command. The agent drops an unknown macro without a word; here it is refused."""
    known = {*forms({}), "program", "interpreter", "args_json_file"}
    names = [name for word in filled(template) if (name := macro(word)) is not None]
    found = []
    for name in dict.fromkeys(names):
        if name not in known:
            instead = nearest(name, known).lstrip("-")
            found.append(
                f"command: there is no macro ${{{name}}}; {f'did you mean ${{{instead}}}?' if instead else 'remove it'}"
            )
    if "program" in names and not program:
        found.append("command: ${program} needs a program: key, got none")
    return found


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else ""
    return f"--{name}={value}"
