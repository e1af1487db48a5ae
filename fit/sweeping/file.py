"""A sweep file in W&B's schema, with everything that is wrong with it in one message, before any work."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from fit.messages import nearest
from fit.sweeping import command, options
from fit.sweeping.parameters import parameters, probes
from fit.sweeping.suggest import Config, Suggestions, library
from fit.sweeping.trial import Trial

RUN_CAP = "run_cap"  # in W&B's schema, but newer than the library


@dataclass(frozen=True)
class SweepFile:
    """A sweep file without mistakes.

    Args:
        path: of the file.
        text: what it holds.
        config: the same, read.
        devices: GPUs a trial needs; 0 where it leaves them alone.
    """

    path: Path
    text: str
    config: Config
    devices: int

    @property
    def metric(self) -> str | None:
        """What is optimised."""
        name: str | None = self.config.get("metric", {}).get("name")
        return name

    @property
    def maximize(self) -> bool:
        """Whether more of it is better."""
        return bool(self.config.get("metric", {}).get("goal") == "maximize")

    @property
    def target(self) -> float | None:
        """The value at which the sweep is done."""
        target: float | None = self.config.get("metric", {}).get("target")
        return target

    def words(self, args: dict[str, Any], json_file: Path, interpreter: str) -> list[str]:
        """The command of a suggestion."""
        return command.build(self.config.get("command") or [], args, self.config.get("program", ""), json_file, interpreter)


def read(path: Path, interpreter: str) -> SweepFile:
    """Read a sweep file and look for mistakes: in the schema, in the command, in the options of ``python -m fit``.

    Args:
        path: of the file.
        interpreter: what ``${interpreter}`` stands for.

    Raises:
        ValueError: all that is wrong, in one line.
    """
    text, config = _load(path)
    found = list(_schema_problems(config)) or list(_content_problems(config))
    devices = 1
    if not found:
        wrong, devices = _option_problems(SweepFile(path, text, config, 0), interpreter)
        found += wrong
    if found:
        raise ValueError(f"{path}: {'; '.join(found)}")
    return SweepFile(path, text, config, devices)


def _load(path: Path) -> tuple[str, Config]:
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a sweep file, got {getattr(error, 'strerror', None) or 'no text'}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected the keys of a sweep (method, parameters, ...), got {type(config).__name__}")
    return text, config


def _schema_problems(config: Config) -> Iterator[str]:
    """Of keys and their values, by W&B's own schema, with the places that its messages leave out."""
    schema = library().config.schema
    known = {*schema.sweep_config_jsonschema["properties"], RUN_CAP}
    for key in config.keys() - known:
        instead = nearest(str(key), known).lstrip("-")
        yield f"{key}: there is no such key in a sweep; {f'did you mean {instead}?' if instead else 'remove it'}"
    cap = config.get(RUN_CAP, 1)
    if isinstance(cap, bool) or not isinstance(cap, int) or cap < 1:
        yield f"{RUN_CAP}: expected a whole number from 1 on, got {cap!r}"
    rest = {key: value for key, value in config.items() if key in known and key != RUN_CAP}
    for error in sorted(schema.validator.iter_errors(rest), key=str):
        place = ".".join(map(str, error.absolute_path))
        message = error.message
        if place.startswith("parameters.") and error.validator == "anyOf":
            message = (
                f"expected value:, values: or a distribution of W&B's, got {error.instance}{_text_for_number(error.instance)}"
            )
        yield f"{place}: {message}" if place else message
    if config.get("method") == "custom":
        yield "method: custom needs W&B's own server; use grid, random or bayes"


def _text_for_number(given: Any) -> str:
    """A remark on YAML's narrow idea of a number."""
    for value in given.values() if isinstance(given, dict) else ():
        try:
            float(value if isinstance(value, str) else "")
        except ValueError:
            continue
        return f" (YAML reads {value} as text; write {float(value):.1e})"
    return ""


def _content_problems(config: Config) -> Iterator[str]:
    """Beyond the schema: what its words contradict, what nothing can be suggested from, and the command."""
    rest = {key: value for key, value in config.items() if key != RUN_CAP}
    yield from library().schema_violations_from_proposed_config(rest)
    try:
        json.dumps(config["parameters"], allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"parameters: expected values that JSON can hold, got one that it cannot ({error})"
        return
    yield from command.problems(config.get("command") or [], config.get("program", ""))
    if "early_terminate" in config and "metric" not in config:
        yield "early_terminate: needs a metric: with a name:, got none"
    else:
        yield from _suggestion_problems(config)


def _suggestion_problems(config: Config) -> Iterator[str]:
    try:
        suggestions = Suggestions(config, 0)
        trials: list[Trial] = []
        while (
            len(trials) < 3 and (args := suggestions.next(trials, len(trials) + 1)) is not None
        ):  # bayes thinks from the third on
            trials.append(Trial(len(trials) + 1, args, state="finished", history=[1.0 * len(trials)]))
        suggestions.to_stop([replace(trial, state="running") for trial in trials])
        parameters(config)
    except Exception as error:  # of a library that raises what comes
        yield f"{config['method']}: {' '.join(str(error).split()) or type(error).__name__}"


def _option_problems(file: SweepFile, interpreter: str) -> tuple[list[str], int]:
    """Of the options of ``python -m fit``, where that is what runs."""
    with tempfile.TemporaryDirectory() as folder:
        json_file = Path(folder) / "args.json"

        def words(args: dict[str, Any]) -> list[str]:
            json_file.write_text(json.dumps(args), encoding="utf-8")
            return options.words_of_fit(file.words(args, json_file, interpreter)) or []

        if options.words_of_fit(file.words({}, json_file, interpreter)) is None:
            return [], 1
        return options.check(probes(file.config), words)
