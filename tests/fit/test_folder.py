import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import fit.folder
from fit.folder import new_folder, remove


def test_runs_of_one_second_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Noon":
            return cls(2030, 1, 2, 12)

    monkeypatch.setattr(fit.folder, "datetime", Noon)
    folders = [new_folder("x") for _ in range(3)]
    assert [folder.name for folder in folders] == ["20300102-120000-x", "20300102-120000-x-2", "20300102-120000-x-3"]
    assert all(folder.is_dir() for folder in folders)


def test_a_run_taken_back_leaves_nothing_but_other_runs() -> None:
    first, second = new_folder("a"), new_folder("b")
    (first / "samples").mkdir()
    remove(first)
    assert list(Path("runs").iterdir()) == [second]
    remove(second)
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["a/b", "", "a b"])
def test_names_that_are_no_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name: expected letters"):
        new_folder(name)
    assert not Path("runs").exists()


def test_one_process_makes_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert new_folder("x").parent == Path("runs")
    assert not Path("runs").exists()


def test_an_environment_variable_names_the_folder_of_runs(tmp_path: Path) -> None:
    code = "from fit.folder import new_folder, remove; made = new_folder('x'); print(made); remove(made)"
    environment = os.environ | {"FIT_RUNS": str(tmp_path / "elsewhere"), "PYTHONPATH": str(Path(__file__).parents[2])}
    made = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert Path(made.stdout.strip()).parent == tmp_path / "elsewhere"
    assert not (tmp_path / "elsewhere").exists()
    assert not Path("runs").exists()
