"""Real runs, ended in every way there is: each says so by its status, leaves nothing behind, and goes on bit for bit."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *["--data.size=[32,32]", "--data.batch_size=2", "--samples.clips=1", "--samples.every=1000", "--name=run", "--card=0"],
    *["--model.generator=RealtimeGenerator", "--model.generator.depth=1", "--model.generator.width=24"],
    *["--model.image_critic=PatchGAN", "--model.image_critic.channels=4", "--model.image_critic.layers=1"],
    *["--model.temporal_critic=TemporalPatchGAN", "--model.temporal_critic.channels=4"],
    *["--model.pool=6", "--model.clip_pool=4", "--model.n_critic=2", "--trainer.log_every_n_steps=1"],
]  # fmt: skip


class Run:
    """``python -m fit`` in a session of its own, so that all its processes can be found."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
        self.said = (folder / f"said-{len(list(folder.glob('said-*')))}.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fit", *options],
            cwd=folder,
            env=os.environ | own | environment,
            stdout=self.said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, within: float = 150) -> int:
        return self.process.wait(timeout=within)

    def wait_for_step(self, step: int, within: float = 150) -> None:
        """Until a row of this step is in metrics.csv."""
        until = time.monotonic() + within
        while time.monotonic() < until and self.process.poll() is None:
            if any(int(float(row["step"])) >= step for row in self.rows()):
                return
            time.sleep(0.02)
        raise AssertionError(f"no step {step}; status {self.process.poll()}, said:\n{self.text()}")

    @property
    def path(self) -> Path:
        (found,) = (self.folder / "runs").glob("*-run")
        return found

    def rows(self) -> list[dict[str, str]]:
        files = list((self.folder / "runs").glob("*-run/metrics.csv"))
        if not files:
            return []
        with files[0].open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def text(self) -> str:
        self.said.seek(0)
        return self.said.read()

    def processes(self) -> list[int]:
        """All that are alive of its session: ranks and loader processes."""
        alive = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                except OSError:
                    continue
                if int(session) == self.process.pid and state != "Z":
                    alive.append(int(entry.name))
        return alive

    def others(self, name: str) -> list[int]:
        """Processes of the session, but the first, whose name or command holds this."""
        found = []
        for pid in self.processes():
            if pid != self.process.pid and name in Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace"):
                found.append(pid)
        return sorted(found)

    def gone(self, within: float) -> bool:
        until = time.monotonic() + within
        while self.processes():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def kill(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


Start = Callable[..., Run]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start runs; none outlives the test."""
    begun: list[Run] = []

    def one(folder: Path, *options: str, **environment: str) -> Run:
        begun.append(Run(folder, *options, **environment))
        return begun[-1]

    yield one
    for run in begun:
        run.kill()
        run.said.close()


def same(ours: Any, theirs: Any, where: str = "") -> None:
    """Bit for bit."""
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), where
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for name in ours:
            same(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            same(*pair, f"{where}[{number}]")
    else:
        assert ours == theirs, where


def assert_same_course(one: Run, other: Run) -> None:
    """Checkpoints and metrics of two runs agree."""
    states = [torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True) for run in (one, other)]
    for part in ("state_dict", "optimizer_states"):
        same(*(state[part] for state in states), part)
    rows = [[{k: v for k, v in row.items() if not k.startswith("throughput/")} for row in run.rows()] for run in (one, other)]
    same(*rows, "metrics.csv")


@pytest.fixture
def small(styles: Path) -> list[str]:
    """What makes a run short; its style is a folder, since painting takes longer than all the rest."""
    return [*SMALL, f"--data.style={styles}"]


def interrupted(start: Start, folder: Path, steps: int, *options: str) -> Run:
    """A run that is stopped by SIGTERM, then killed, then completed."""
    run = start(folder, f"--model.steps={steps}", "--checkpoints.every=5", *options)
    run.wait_for_step(steps * 17 // 40)
    os.kill(run.process.pid, signal.SIGTERM)
    assert run.wait() == 128 + signal.SIGTERM, run.text()
    assert "Go on with:" in run.text()
    stopped = run.rows()[-1]
    assert int(float(stopped["step"])) < steps
    run = start(folder, "--resume", "last")
    run.wait_for_step(steps * 23 // 40)
    for pid in run.processes():
        os.kill(pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    run = start(folder, "--resume", "last")
    assert run.wait() == 0, run.text()
    return run


@pytest.mark.slow
def test_stopped_killed_and_resumed_is_bit_for_bit_the_uninterrupted_run(
    small: list[str], start: Start, tmp_path: Path
) -> None:
    whole = start(tmp_path / "whole", *small, "--model.steps=16", "--checkpoints.every=5", "--data.workers=0")
    again = interrupted(start, tmp_path / "again", 16, *small, "--data.workers=0")
    assert whole.wait() == 0, whole.text()
    assert_same_course(whole, again)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("devices", [1, 2])
def test_resuming_is_exact_at_full_length(devices: int, workers: int, small: list[str], start: Start, tmp_path: Path) -> None:
    options = [*small, f"--data.workers={workers}", f"--trainer.devices={devices}"]
    options += ["--config", str(ROOT / "fit" / "recipes" / "wandb.yaml")] if workers else []
    whole = start(tmp_path / "whole", "--model.steps=40", "--checkpoints.every=5", *options)
    assert whole.wait(600) == 0, whole.text()
    again = interrupted(start, tmp_path / "again", 40, *options)
    assert_same_course(whole, again)
    if workers:
        runs = list((tmp_path / "again" / "runs" / "wandb").glob("offline-run-*"))
        assert len(runs) == 3
        assert len({path.name.rpartition("-")[2] for path in runs}) == 1, "one run in W&B"


# --- two devices and their loader processes: whoever goes, all go, in time, and the run goes on ---

TERM, KILL = signal.SIGTERM, signal.SIGKILL
ENDINGS = [("first", TERM), ("second", TERM), ("second", KILL), ("loader", KILL)]


@pytest.mark.slow
@pytest.mark.timeout(900)  # ten processes that import torch
def test_whoever_goes_all_go_and_the_run_goes_on(small: list[str], start: Start, tmp_path: Path) -> None:
    options = ["--model.steps=1000", "--checkpoints.every=2", "--data.workers=1", "--trainer.devices=2"]
    given, reached = [*small, *options], 0
    for who, how in ENDINGS:
        run = start(tmp_path / "run", *given)
        run.wait_for_step(reached + 4)
        end(run, who, how)
        given, reached = ["--resume", "last"], int(float(run.rows()[-1]["step"]))
    run = start(tmp_path / "run", *given, "--model.steps", str(reached + 2))
    assert run.wait() == 0, run.text()
    assert int(float(run.rows()[-1]["step"])) == reached + 2


def end(run: Run, who: str, how: signal.Signals) -> None:
    """End one process, and see all the others leave."""
    second = run.others("LOCAL_RANK=1")[0]
    loader = next(pid for pid in run.others("LOCAL_RANK=1") if pid != second)
    os.kill({"first": run.process.pid, "second": second, "loader": loader}[who], how)
    began = time.monotonic()
    status = run.wait(60)
    took = time.monotonic() - began
    assert status == (128 + TERM if how == TERM else 1), f"{how.name} of the {who}: {run.text()}"
    assert took < 15
    assert run.gone(within=15 - took), "nothing outlives the run"
    if how == KILL:
        errors = [line for line in run.text().splitlines() if line.startswith("error: ")]
        reason = "loader process died" if who == "loader" else "was killed by SIGKILL"
        assert any(reason in line for line in errors), errors
    assert "Go on with:" in run.text()
