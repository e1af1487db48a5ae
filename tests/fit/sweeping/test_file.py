import json
from pathlib import Path
from typing import Any

import pytest

from fit.sweeping.file import SweepFile, read

pytest.importorskip("sweeps.run", reason="the extra sweeps is not installed")
RUN = "[run, '${args}']"
FIT = "['${env}', '${interpreter}', -m, fit, --config, '${args_json_file}', --data.workers=0]"


def of(tmp_path: Path, text: str) -> SweepFile:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return read(path, "python")


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ValueError, match=r"sweep\.yaml: ") as error:
        of(tmp_path, text)
    return str(error.value)


def test_a_file_of_the_official_schema_is_read(tmp_path: Path) -> None:
    text = f"""
        method: bayes
        name: mine
        description: what it asks
        project: p
        entity: e
        run_cap: 7
        metric: {{name: val/score, goal: maximize, target: 3, impute: latest}}
        early_terminate: {{type: hyperband, min_iter: 2}}
        command: {RUN}
        parameters: {{a: {{min: 0.5, max: 2}}, b: {{values: [1, null]}}, c: {{value: [1]}}}}
    """
    found = of(tmp_path, text)
    assert (found.metric, found.maximize, found.target, found.devices) == ("val/score", True, 3, 1)
    assert found.config["run_cap"] == 7
    assert found.words({"a": 1}, Path("x"), "python") == ["run", "--a=1"]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        f"""
        method: gird
        comand: {RUN}
        run_cap: 0
        metric: {{name: a, goal: min}}
        parameters: {{x: {{valuez: [1]}}, y: {{min: 1e-5, max: 1.0}}}}
        """,
    )
    assert "\n" not in said
    for part in (
        "method: 'gird' is not one of",
        "comand: there is no such key in a sweep; did you mean command?",
        "run_cap: expected a whole number from 1 on, got 0",
        "metric.goal: 'min' is not one of",
        "parameters.x: expected value:, values: or a distribution of W&B's, got {'valuez': [1]}",
        "YAML reads 1e-5 as text; write 1.0e-05",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f"{{method: grid, command: {RUN}, parameters: {{x: {{min: 0.0, max: 1.0}}}}}}", "grid: Parameter x is a disallowed"),
        (f"{{method: bayes, command: {RUN}, parameters: {{x: {{min: 0.0, max: 1.0}}}}}}", 'bayes: Bayesian search requires'),
        (f"{{method: random, command: {RUN}, parameters: {{x: {{min: 2, max: 1}}}}}}", "x: min 2 is not less than max 1"),
        (f"{{method: random, command: {RUN}, parameters: {{x: {{value: 2020-01-01}}}}}}", "expected values that JSON can hold"),
        (f"{{method: custom, command: {RUN}, parameters: {{x: {{value: 1}}}}}}", "method: custom needs W&B's own server"),
        ("{method: grid, command: [run, '${arg}'], parameters: {x: {value: 1}}}", "no macro ${arg}; did you mean ${args}"),
        ("{method: grid, early_terminate: {type: hyperband, min_iter: 1}, command: [run], parameters: {x: {value: 1}}}",
         "early_terminate: needs a metric"),
        ("[1]", "expected the keys of a sweep"),
        ("{", "expected YAML"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, text: str, part: str) -> None:
    assert part in refused(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.yaml: expected a sweep file, got No such file"):
        read(tmp_path / "none.yaml", "python")


def fitting(**parameters: Any) -> str:
    return f"method: random\ncommand: {FIT}\nparameters: {json.dumps(parameters)}"


def test_options_of_fit_are_known_by_name_and_value_at_both_ends(tmp_path: Path) -> None:
    wrong = {
        "model.lrr": {"values": [1]},
        "model.clip": {"values": [1.0, "much"]},
        "data.batch_size": {"min": 1, "max": 3},
        "model.steps": {"value": 5},
    }
    said = refused(tmp_path, fitting(**wrong))
    assert "there is no option --lrr; did you mean --model.lr?" in said
    assert "--model.clip: expected" in said
    assert "batch_size" not in said
    assert "steps" not in said


def test_options_of_a_class_that_the_file_chooses_are_known(tmp_path: Path) -> None:
    good = {
        "model.generator": {"value": "ResNetGenerator"},
        "model.generator.blocks": {"values": [2, 6]},
        "model.lr": {"distribution": "log_uniform_values", "min": 0.001, "max": 0.01},
        "trainer.max_time": {"values": ["00:01:00:00", None]},
        "trainer.devices": {"value": 2},
    }
    assert of(tmp_path, fitting(**good)).devices == 2
    assert of(tmp_path, fitting(**good, **{"trainer.accelerator": {"value": "cpu"}})).devices == 0
