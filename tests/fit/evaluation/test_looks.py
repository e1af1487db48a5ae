import json
from pathlib import Path

import pytest

from fit.evaluation.clips import Look
from fit.evaluation.looks import look_of, restored, stored

MOVING = "{seed_everything: 3, data: {class_path: datamodules.moving_scenes.MovingScenes, init_args: {palette: %s}}}"


@pytest.mark.parametrize(
    ("config", "look"),
    [
        (MOVING % "wheat", Look(None, ("wheat",), 3)),
        (MOVING % "all", Look(None, ("night", "wheat", "dusk"), 3)),
        ("data: {class_path: X.VideoFolder, init_args: {root: a, style: their/paintings}}", Look(Path("their/paintings"))),
        ("data: {class_path: mine.Other, init_args: {}}", Look()),
        ("{}", Look()),
    ],
)
def test_is_what_the_run_was_trained_on(config: str, look: Look, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(config)
    assert look_of(tmp_path) == look


def test_without_a_run_it_is_the_own_paintings(tmp_path: Path) -> None:
    assert look_of(None) == look_of(tmp_path) == Look()


def test_knows_the_paintings_of_a_run_by_its_seed(run: Path) -> None:
    assert look_of(run) == Look(None, ("night",), 3)


@pytest.mark.parametrize("look", [Look(), Look(Path("their/paintings")), Look(None, ("wheat", "dusk"), 7)])
def test_comes_back_from_plain_values(look: Look) -> None:
    assert restored(json.loads(json.dumps(stored(look)))) == look
