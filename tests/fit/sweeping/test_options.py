from pathlib import Path
from typing import Any

from fit.sweeping.options import check, parse, words_of_fit


def flags(args: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in args.items()]


def test_the_words_of_fit_are_found_in_a_command() -> None:
    assert words_of_fit(["/usr/bin/env", "python", "-m", "fit", "--config", "x.yaml"]) == ["--config", "x.yaml"]
    assert words_of_fit(["python", "-m", "fit"]) == []
    assert words_of_fit(["python", "train.py", "-m"]) is None
    assert words_of_fit(["python", "-m", "fit.evaluate"]) is None


def test_every_mistake_of_every_probe_is_told_once() -> None:
    probes = [{"model.lrr": 1, "model.steps": steps, "data.nonsense": 1} for steps in (1, "many", 2)]
    found, _ = check(probes, flags)
    assert [line.partition(";")[0] for line in found if "no option" in line] == [
        "there is no option --model.lrr",
        "there is no option --data.nonsense",
    ]
    assert sum("steps" in line for line in found) == 1
    assert len(found) == 3


def test_good_options_build_nothing_and_tell_the_devices(tmp_path: Path) -> None:
    assert check([{"trainer.devices": 1}, {"trainer.devices": 3}], flags) == ([], 3)
    assert check([{"trainer.devices": 3, "trainer.accelerator": "cpu"}], flags) == ([], 0)
    assert list(tmp_path.iterdir()) == [], "no run folder"


def test_a_missing_configuration_is_told() -> None:
    assert "nowhere.yaml" in parse(["--config", "nowhere.yaml"])
