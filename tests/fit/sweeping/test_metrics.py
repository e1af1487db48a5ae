from pathlib import Path

import pytest

from fit.metrics_file import RunLogger
from fit.sweeping import metrics as module
from fit.sweeping.metrics import Logged, series
from fit.sweeping.trial import Trial


def test_a_trial_follows_what_its_run_logs(tmp_path: Path) -> None:
    trial, logged = Trial(1, {}), Logged(tmp_path / "runs", "val/score")
    assert not logged.update(trial), "there is nothing yet"
    (folder := tmp_path / "runs" / "20300101-run").mkdir(parents=True)
    logger = RunLogger(folder)
    logger.log_metrics({"train/cycle": 1.0}, step=10)
    assert logged.update(trial)
    assert (trial.step, trial.history, trial.values) == (10, [], {})
    logger.log_metrics({"val/score": 3.0, "val/style": 0.5}, step=20)
    logger.log_metrics({"val/score": float("nan"), "val/flicker_ratio": 2.0}, step=30)
    logger.log_metrics({"val/score": float("inf")}, step=40)
    logger.log_metrics({"val/score": 2.5}, step=50)
    assert logged.update(trial)
    assert trial.history == [3.0, 2.5], "what is not finite is no value"
    assert trial.values == {"val/score": 2.5, "val/style": 0.5, "val/flicker_ratio": 2.0}
    assert trial.step == 50
    assert not logged.update(trial)


def test_the_length_of_a_run_is_known_from_its_configuration(tmp_path: Path) -> None:
    (folder := tmp_path / "runs" / "a").mkdir(parents=True)
    (folder / "metrics.csv").write_text("step\n1\n")
    (folder / "config.yaml").write_text("model:\n  class_path: X\n  init_args:\n    steps: 500\n")
    Logged(tmp_path / "runs", None).update(trial := Trial(1, {}))
    assert (trial.step, trial.steps) == (1, 500)


@pytest.mark.parametrize(
    "text", ["step,loss\n1,2.0\n2", "step,loss\n1,2.0\n", "step,loss\n1,2.0\n2,\n", "step,loss\n1,2.0\n2,x\n"]
)
def test_half_a_row_and_what_is_no_number_are_passed_over(tmp_path: Path, text: str) -> None:
    (folder := tmp_path / "a").mkdir()
    (folder / "metrics.csv").write_text(text)
    Logged(tmp_path, "loss").update(trial := Trial(1, {}))
    assert trial.history == [2.0]


def test_a_run_may_take_its_folder_back_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "a").mkdir()
    (folder / "metrics.csv").write_text("step,loss\n1,2.0\n")
    looked = Logged(tmp_path, "loss")

    def gone(path: Path) -> list[dict[str, str]]:
        path.unlink()
        raise FileNotFoundError(path)

    monkeypatch.setattr(module, "_rows", gone)
    assert not looked.update(trial := Trial(1, {}))
    assert trial.history == []


def test_a_column_that_is_not_there_is_empty() -> None:
    assert series([{"a": "1"}], "b") == []
