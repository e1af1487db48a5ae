from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fit.resume import interrupted_run, job, last_checkpoint, notes, run_folder, take_note
from lightning_modules.checkpoint_file import CheckpointError, write_checkpoint
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.generators.realtime import RealtimeGenerator

CLUSTER = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT")
CLUSTER += ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "WANDB_SWEEP_ID", "WANDB_RUN_ID", "FIT_PARENT")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in CLUSTER:
        monkeypatch.delenv(name, raising=False)


def run(name: str) -> Path:
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    return folder


def test_a_run_is_named_by_its_path_its_name_or_as_the_last() -> None:
    old, new = run("20300101-120000-b"), run("20300102-120000-a")
    (old / "config.yaml").touch()  # looked at later
    assert run_folder("last") == new
    assert run_folder(str(old)) == run_folder("20300101-120000-b") == old


@pytest.mark.parametrize("name", ["last", "nowhere", "."])
def test_what_is_no_run_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"--resume.*: expected"):
        run_folder(name)


def test_notes_are_added_to() -> None:
    folder = run("a")
    assert notes(folder) == {}
    take_note(folder, job="slurm 7")
    take_note(folder, wandb="abc")
    assert notes(folder) == {"job": "slurm 7", "wandb": "abc"}
    assert [path.name for path in folder.iterdir() if "run.json" in path.name] == ["run.json"]


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"SLURM_JOB_ID": "7"}, "slurm 7"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "3"}, "slurm 8_3"),
        ({"TORCHELASTIC_RUN_ID": "mine"}, "torchrun mine"),
    ],
)
def test_a_job_started_again_finds_its_run(environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert job() == name
    words, other = ["--model.lr", "1e-4"], ["--model.lr", "1e-3"]
    for folder, of, said in (("1", name, words), ("2", name, words), ("3", name, other), ("4", "slurm 1", words)):
        take_note(run(folder), job=of, command=said)
    run("5")
    assert interrupted_run(words) is None, "started for the first time"
    monkeypatch.setenv("SLURM_RESTART_COUNT" if "SLURM_JOB_ID" in environment else "TORCHELASTIC_RESTART_COUNT", "1")
    assert interrupted_run(words) == Path("runs/2")
    assert interrupted_run(other) == Path("runs/3"), "a job may train several"
    assert interrupted_run(["--model.lr", "1"]) is None, "it had not come far enough to have one"


def test_a_trial_started_again_finds_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")  # of the agent, which starts several
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    assert job() == "slurm 7", "a sweep alone is no trial"
    monkeypatch.setenv("WANDB_RUN_ID", "r")
    assert job() == "sweep s/r"
    take_note(run("1"), job="sweep s/other", command=["x"])
    assert interrupted_run(["x"]) is None, "started for the first time"
    take_note(run("2"), job=job(), command=["x"])
    assert interrupted_run(["--config", "elsewhere"]) == Path("runs/2"), "a file of the agent's may lie elsewhere next time"
    take_note(run("3"), job=job(), command=["x"])
    Path("runs/3/config.yaml").unlink()
    assert interrupted_run(["x"]) == Path("runs/2"), "without a configuration it has not begun"
    monkeypatch.setenv("FIT_PARENT", "1")
    assert interrupted_run(["x"]) is None, "another rank is told which run it is"


def test_outside_of_a_cluster_there_is_no_job() -> None:
    assert job() is None


def small(width: int = 24) -> CycleGAN:
    return CycleGAN(generator=lambda: RealtimeGenerator(width, 1))


@pytest.fixture
def saved() -> Callable[[Path, int], None]:
    """Checkpoints of a run, of different steps."""

    def save(folder: Path, step: int) -> None:
        method = small()
        method.generator_step = step
        state = {"state_dict": method.state_dict()}
        method.on_save_checkpoint(state)
        write_checkpoint(state, folder / "checkpoints" / f"step-{step:06d}.ckpt")

    return save


def test_goes_on_at_the_newest_good_checkpoint_saying_so(
    saved: Callable[[Path, int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("a")
    assert last_checkpoint(folder, small()) == (None, 0), "before its first"
    saved(folder, 5)
    saved(folder, 10)
    newest = folder / "checkpoints" / "step-000010.ckpt"
    assert last_checkpoint(folder, small()) == (newest, 10)
    newest.write_bytes(newest.read_bytes()[:-100])
    assert last_checkpoint(folder, small()) == (folder / "checkpoints" / "step-000005.ckpt", 5)
    assert "warning: " in (said := capsys.readouterr().err)
    assert "step-000010.ckpt" in said


def test_other_networks_are_refused_before_any_work(saved: Callable[[Path, int], None]) -> None:
    folder = run("a")
    saved(folder, 5)
    torch.manual_seed(0)
    with pytest.raises(CheckpointError, match=r"expected the networks of the run, got others .*init_from"):
        last_checkpoint(folder, small(64))
