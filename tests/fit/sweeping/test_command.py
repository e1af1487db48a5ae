import copy
from pathlib import Path
from typing import Any

import pytest

from fit.sweeping.command import build, problems

VALUES: list[Any] = [
    True, False, None, 1e-05, 5e-324, 0, -3, 1.0, "", "two words", "a=b", "${args}", "Ä'\"\\", [1, 2.5, None, [True]],
    {"deep": {"er": None, "x": 1e-05}, "list": ["a b"]},
]  # fmt: skip
TEMPLATES: list[list[Any]] = [
    [],
    ["${env}", "${interpreter}", "-m", "fit", "--config", "${args_json_file}"],
    ["${env}", "python", "${program}", "${args_no_hyphens}", "--seed", 3, True],
    ["run", "${args_no_boolean_flags}", "--home=${envvar:FIT_TEST_HOME}/${envvar:FIT_TEST_UNSET}", "${envvar:FIT_TEST_HOME}"],
    ["run", "${args_json}", "--in=${args}", "${args_no_equals}", "$args", "${args}x"],
    ["run", "${args_append_hydra}", "${args_override_hydra}", "${args_dict}"],
    ["run", "${envvar:FIT_TEST_MACRO}", "${envvar:lower}"],
]


def agents_own(template: list[Any], args: dict[str, Any], json_file: str) -> list[str]:
    """The words that the real agent would run: its own functions, and the loop of ``Agent._command_run`` around them."""
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils", reason="wandb is not installed")
    command = {"args": {name: {"value": value} for name, value in args.items()}, "program": "train.py"}
    chosen = utils.create_sweep_command(copy.copy(template))
    known = utils.create_sweep_command_args(command)
    known |= {"interpreter": ["python"], "program": ["train.py"], "args_json_file": [json_file], "env": ["/usr/bin/env"]}
    words: list[str] = []
    for word in map(str, chosen):
        words += (known.get(word[2:-1]) or []) if word.startswith("${") and word.endswith("}") else [word]
    return words


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: " ".join(map(str, template)) or "default")
def test_every_form_of_every_value_is_the_agents(template: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIT_TEST_HOME", "/home/some one")
    monkeypatch.setenv("FIT_TEST_MACRO", "${args}")
    together = {f"model.p{number}": value for number, value in enumerate(VALUES)}
    for args in ({}, together, *({"model.x": value} for value in VALUES)):
        mine = build(template, args, "train.py", "config.json", "python")
        assert mine == agents_own(template, args, "config.json")


def test_the_real_agent_starts_these_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of ``Agent._command_run``, with the process it starts kept from starting."""
    agent = pytest.importorskip("wandb.wandb_agent", reason="wandb is not installed")
    started: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **_: Any) -> None:
            started.append(command)

    monkeypatch.setattr(agent, "AgentProcess", Process)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, "s")  # the agent sets them; they are to be forgotten again
    args = {f"p{number}": value for number, value in enumerate(VALUES)}
    for template in TEMPLATES:
        real = agent.Agent(None, None, sweep_id="s")
        real._sweep_command = copy.copy(template)
        real._command_run({"run_id": "r", "program": "train.py", "args": {k: {"value": v} for k, v in args.items()}})
        path = tmp_path / "wandb" / "sweep-s" / "config-r.json"
        assert started.pop() == build(template, args, "train.py", path, "python")


def test_an_unknown_macro_is_refused_by_name_with_the_nearest() -> None:
    assert problems(["${env}", "${arg}", "--x=${arg}"], "") == ["command: there is no macro ${arg}; did you mean ${args}?"]
    assert problems(["${interpreter}", "${envvar:HOME}", "${args_json_file}"], "") == []


def test_a_program_that_is_not_there_is_missed() -> None:
    assert problems([], "") == ["command: ${program} needs a program: key, got none"]
    assert problems([], "train.py") == []
