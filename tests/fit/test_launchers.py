"""Two processes, whoever starts them: one run, one folder, every file once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fit.ranks import free_port

ROOT = Path(__file__).resolve().parents[2]
FIT = [
    "-m",
    "fit",
    "--card=0",
    "--model.steps=2",
    "--data.size=[32,32]",
    "--data.batch_size=1",
    "--data.workers=0",
    "--samples.clips=1",
]
FIT += ["--model.generator=RealtimeGenerator", "--model.generator.depth=1", "--trainer.devices=2", "--trainer.accelerator=cpu"]


def torchrun(fit: list[str], folder: Path, environment: dict[str, str]) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *fit]
    return [start(command, folder, environment)]


def srun(fit: list[str], folder: Path, environment: dict[str, str]) -> list[subprocess.Popen[str]]:
    """What SLURM's srun sets for two tasks on one node."""
    job = {"SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}
    job |= {"SLURM_NNODES": "1", "SLURM_NODELIST": "127.0.0.1", "SLURM_NODEID": "0", "MASTER_PORT": str(free_port())}
    ranks = [{"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)} for rank in (0, 1)]
    return [start([sys.executable, *fit], folder, environment | job | rank) for rank in ranks]


def start(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [torchrun, srun], ids=["torchrun", "srun"])
def test_two_processes_make_one_run(launcher: object, styles: Path, tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "MASTER", "TORCHELASTIC"))}
    own |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = launcher([*FIT, f"--data.style={styles}"], tmp_path, own)  # type: ignore[operator]
    said = [process.communicate(timeout=250)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)
    (folder,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "last.ckpt",
        "step-000002.ckpt",
        "step-000002.ckpt.sha256",
    ]
    assert [path.name for path in sorted((folder / "samples").iterdir())] == ["step-000002.mp4", "step-000002.png"]
    text = "\n".join(said)
    assert (
        text.count("Global batch: 2 clips (1 a batch, 2 devices, 1 batches an update)") == 1
        or text.count("Global batch: 2 clips") == 1
    )
    assert text.count("Repaint a video with it") == 1
