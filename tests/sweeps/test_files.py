"""Every file in sweeps/: valid by W&B's schema, of options that exist with values they take, and its trials run."""

import json
import math
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from fit.cli import StyleCLI, command_line, main
from fit.metrics_file import RunLogger
from fit.sweeping.file import SweepFile, read
from fit.sweeping.options import parse
from fit.sweeping.parameters import probes
from fit.sweeping.suggest import Suggestions
from fit.sweeping.trial import Trial
from lightning_modules.metrics.score import WORST

FILES = sorted((Path(__file__).resolve().parents[2] / "sweeps").glob("*.yaml"))
# What makes one step of a trial small, not different.
SMALL = ["--card=0", "--model.steps=1", "--data.size=[32,32]", "--data.batch_size=1", "--data.workers=0", "--samples.clips=1"]
SMALL += ["--validation.clips=1", "--validation.every=1"]
# The defaults as each grid has them.
DEFAULTS = {
    "smoke": {"model.adversarial": "hinge", "model.temporal_weight": 150.0},
    "adversarial": {"model.adversarial": "hinge", "model.penalty_weight": 0.0, "model.n_critic": 1, "model.critic_lr": 1e-3},
    "realtime": {"model.generator.width": 24, "model.generator.depth": 2},
}


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def path(request: pytest.FixtureRequest, library: Any) -> Path:
    return Path(request.param)


@cache
def file_of(name: str) -> SweepFile:
    """A sweep file, read as ``python -m fit.sweep`` does: every value it names, and both ends of ranges, are parsed."""
    return read(next(path for path in FILES if path.stem == name), "python")


@cache
def plain() -> Any:
    """The configuration without options."""
    return parse([])


def words(file: SweepFile, values: dict[str, Any], folder: Path) -> list[str]:
    """What a trial says to ``python -m fit``."""
    given = folder / "args.json"
    given.write_text(json.dumps(values))
    command = file.words(values, given, "python")
    assert command[:4] == ["/usr/bin/env", "python", "-m", "fit"]
    return command[4:]


def test_each_question_has_a_file() -> None:
    assert {path.stem for path in FILES} == {"adversarial", "realtime", "smoke", "temporal"}
    assert not (FILES[0].parent / "__init__.py").exists(), "it would stand before the package sweeps"


def test_the_schema_has_nothing_to_say(path: Path, library: Any) -> None:
    config = yaml.safe_load(path.read_text())
    config.pop("run_cap", None)  # of the official schema, but newer than this copy of it
    assert library.schema_violations_from_proposed_config(config) == []


def test_it_asks_a_question_and_names_both_ways_to_run_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "?" in text.splitlines()[0]
    assert f"python -m fit.sweep sweeps/{path.name}" in text
    assert f"wandb sweep sweeps/{path.name}" in text
    assert "What to look at" in text


def test_every_parameter_exists_and_takes_its_values_at_both_ends(path: Path, tmp_path: Path) -> None:
    file = file_of(path.stem)
    assert file.metric == "val/score"
    last = probes(file.config)[-1]
    parsed = parse(words(file, last, tmp_path))
    assert all(parsed[inside(option)] == value for option, value in last.items()), "the values are where they belong"


def inside(option: str) -> str:
    """Where an option is in a parsed configuration."""
    return option.replace("model.", "model.init_args.").replace("generator.", "generator.init_args.")


def grid(name: str) -> list[dict[str, Any]]:
    """The trials of a file without ranges."""
    parameters = file_of(name).config["parameters"]
    return [dict(zip(parameters, values, strict=True)) for values in product(*(each["values"] for each in parameters.values()))]


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_the_defaults_are_among_the_trials_of_a_grid(name: str, tmp_path: Path, library: Any) -> None:
    assert DEFAULTS[name] in grid(name)
    found = parse(words(file_of(name), DEFAULTS[name], tmp_path))
    usual = parse([f"--model={found.model.class_path.rpartition('.')[2]}"])
    differing = {option for option in DEFAULTS[name] if found[inside(option)] != usual[inside(option)]}
    assert differing <= {"model.penalty_weight"}, "which is 0, so there is none, as there is none by default"


def test_the_defaults_lie_inside_the_ranges_of_bayes(library: Any) -> None:
    for option, known in file_of("temporal").config["parameters"].items():
        assert known["min"] < plain()[inside(option)] < known["max"]


@pytest.mark.parametrize("name", ["adversarial", "temporal"])
def test_hyperband_decides_before_the_end_and_leaves_alone_what_is_complete(name: str, tmp_path: Path, library: Any) -> None:
    file = file_of(name)
    parsed = parse(words(file, probes(file.config)[-1], tmp_path))
    count = parsed.model.init_args.steps // parsed.validation.every
    assert count > 3

    def stopped(*history: float) -> bool:
        others = [Trial(n, {}, state="finished", history=[3.0, 2.5, 2.0, *[0.1] * (count - 3)]) for n in (1, 2, 3)]
        return bool(Suggestions(file.config, 0).to_stop([*others, Trial(4, {}, state="running", history=list(history))]))

    assert not stopped(9.0, 9.0)
    assert stopped(9.0, 9.0, 9.0)
    assert not stopped(3.0, 2.5, 2.0, *[2.0] * (count - 3)), "only now it is the worst, and it is at its end"


def test_a_trial_of_it_runs_a_step_and_is_scored(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(path.stem)
    monkeypatch.chdir(tmp_path)
    last = probes(file.config)[-1]  # the one farthest from the defaults
    cli = main([*words(file, last, tmp_path), *SMALL])
    assert cli.folder is not None
    score = float(RunLogger(cli.folder).rows()[-1]["val/score"])
    assert math.isfinite(score)
    assert 0 <= score <= WORST


class Built(StyleCLI):
    """Builds what a command line says, and trains nothing."""

    def instantiate_classes(self) -> None:
        self.config_init = self.parser.instantiate(self.config)


def test_every_objective_of_the_adversarial_grid_goes_with_every_penalty(tmp_path: Path, library: Any) -> None:
    # Built, since only constructors know what does not go together; the other two parameters are part of no rule.
    trials = [trial for trial in grid("adversarial") if (trial["model.n_critic"], trial["model.critic_lr"]) == (1, 1e-3)]
    assert len(trials) == 9
    for values in trials:
        command_line(Built, [*words(file_of("adversarial"), values, tmp_path), "--model.generator.depth=1"])
