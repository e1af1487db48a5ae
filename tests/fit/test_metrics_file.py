import csv
from pathlib import Path

import pytest

from fit.metrics_file import RunLogger


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def logger(tmp_path: Path) -> RunLogger:
    """With rows of steps 1 to 4."""
    made = RunLogger(tmp_path)
    for step in range(1, 5):
        made.log_metrics({"train/cycle": step / 10, "step": float(step)}, step=99)
    return made


def test_metrics_lie_in_the_run_folder_alone(logger: RunLogger, tmp_path: Path) -> None:
    logger.log_hyperparams({"lr": 1})
    assert logger.save_dir == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    assert rows(tmp_path)[2] == {"step": "3.0", "train/cycle": "0.3"}


def test_every_row_is_on_the_disk_at_once_and_new_metrics_get_columns(logger: RunLogger, tmp_path: Path) -> None:
    logger.log_metrics({"alarm/x": 1.0}, step=5)
    logger.log_metrics({"train/cycle": 2.0}, step=6)
    found = rows(tmp_path)
    assert len(found) == 6
    assert found[0] == {"step": "1.0", "train/cycle": "0.1", "alarm/x": ""}
    assert found[4] == {"step": "5", "train/cycle": "", "alarm/x": "1.0"}
    assert found[5] == {"step": "6", "train/cycle": "2.0", "alarm/x": ""}


def test_a_resumed_run_drops_the_rows_after_its_step_and_goes_on(logger: RunLogger, tmp_path: Path) -> None:
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("5.0")  # cut off by whatever ended the run
    resumed = RunLogger(tmp_path)
    resumed.keep(2)
    assert [row["step"] for row in rows(tmp_path)] == ["1.0", "2.0"]
    resumed.log_metrics({"train/cycle": 0.25, "step": 3.0})
    assert rows(tmp_path)[-1] == {"step": "3.0", "train/cycle": "0.25"}
    again = RunLogger(tmp_path)
    again.log_metrics({"train/cycle": 0.5, "step": 4.0})
    assert [row["step"] for row in rows(tmp_path)] == ["1.0", "2.0", "3.0", "4.0"]


def test_nothing_is_kept_of_a_run_that_has_logged_nothing(tmp_path: Path) -> None:
    RunLogger(tmp_path).keep(3)
    assert not list(tmp_path.iterdir())
    (tmp_path / "metrics.csv").touch()
    logger = RunLogger(tmp_path)
    logger.keep(3)
    logger.log_metrics({"a": 1.0}, step=4)
    assert rows(tmp_path) == [{"step": "4", "a": "1.0"}]


def test_what_is_logged_later_of_the_same_step_joins_its_row(logger: RunLogger, tmp_path: Path) -> None:
    logger.log_metrics({"val/style": 0.5}, step=4)
    logger.log_metrics({"train/cycle": 0.5, "step": 5.0})
    assert rows(tmp_path)[3:] == [
        {"step": "4", "train/cycle": "0.4", "val/style": "0.5"},
        {"step": "5.0", "train/cycle": "0.5", "val/style": ""},
    ]
    resumed = RunLogger(tmp_path)
    resumed.keep(5)
    resumed.log_metrics({"val/style": 0.25}, step=5)
    assert rows(tmp_path)[4:] == [{"step": "5", "train/cycle": "0.5", "val/style": "0.25"}]
