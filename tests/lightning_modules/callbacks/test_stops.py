import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Callback, LightningModule, Trainer

from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.callbacks.stops import Stopped, Stops, refuse_ranks_apart, requeue

ROOT = Path(__file__).resolve().parents[3]


class Signal(Callback):
    """Sends a signal to this process in the middle of a batch."""

    def __init__(self, number: int, batch: int) -> None:
        self.number, self.batch = number, batch

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if pl_module.batches_seen == self.batch:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_ends_the_run_after_the_step_saved(number: int, train: Any, tmp_path: Path) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    with pytest.raises(Stopped) as stopped:
        train(Stops(), Checkpoints(every=100), Signal(number, 4), steps=50, n_critic=3)
    assert stopped.value.code == 128 + number
    saved = [path.name for path in tmp_path.rglob("*.ckpt") if not path.is_symlink()]
    assert saved == ["step-000002.ckpt"], "batch 5 of 3 a step: the second step is finished"
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)] == before


class Early(Callback):
    """Sends SIGTERM before training has begun, when Lightning's own handler is there."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_while_things_are_set_up_counts(train: Any) -> None:
    with pytest.raises(Stopped) as stopped:
        train(Early(), Stops(), steps=5)
    assert stopped.value.code == 128 + signal.SIGTERM


def test_a_run_that_is_not_stopped_ends_as_ever(train: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    trainer = train(Stops(), steps=2)
    assert trainer.lightning_module.generator_step == 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_time_that_is_up_ends_the_run_in_good_order_after_a_whole_step(train: Any, tmp_path: Path) -> None:
    trainer = train(Stops(seconds=0.0), Checkpoints(every=100), steps=50, n_critic=3)
    assert (trainer.lightning_module.generator_step, trainer.lightning_module.batches_seen) == (1, 3)
    assert (tmp_path / "run" / "checkpoints" / "step-000001.ckpt").exists()
    trainer = train(Stops(seconds=1000.0), steps=3)
    assert trainer.lightning_module.generator_step == 3


def test_ranks_that_would_train_different_runs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def gathered(steps: list[int], own: int) -> None:
        steps[:] = [own, other]

    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("torch.distributed.all_gather_object", gathered)
    method: Any = SimpleNamespace(generator_step=5)
    other = 5
    refuse_ranks_apart(method)
    other = 3
    with pytest.raises(ValueError, match=r"expected all ranks to go on at one step, got \[5, 3\]"):
        refuse_ranks_apart(method)


def test_slurm_ending_a_job_that_waits_in_its_queue_is_no_second_signal() -> None:
    stops = Stops()
    stops._receive(signal.SIGUSR1, None)
    stops._receive(signal.SIGTERM, None)
    assert stops.received == signal.SIGUSR1


def test_a_second_signal_ends_the_process_at_once() -> None:
    source = """
import os, signal
from lightning_modules.callbacks.stops import Stops
stops = Stops()
signal.signal(signal.SIGTERM, stops._receive)
os.kill(os.getpid(), signal.SIGTERM)
print("still here", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("too late", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (143, "still here\n")
    assert "once more stops at once" in done.stderr


@pytest.mark.parametrize(("array", "asked"), [({}, "7"), ({"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "2"}, "5_2")])
def test_a_slurm_job_is_put_back_into_the_queue(
    array: dict[str, str], asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    requeue()
    assert not (tmp_path / "asked").exists(), "there is no SLURM"
    for name, value in {"SLURM_JOB_ID": "7", **array}.items():
        monkeypatch.setenv(name, value)
    requeue()
    assert (tmp_path / "asked").read_text() == f"requeue {asked}\n"


def test_a_queue_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", "/nowhere")
    requeue()
    assert "submit it again" in capsys.readouterr().err
