"""A disk that fills up in the middle of a run: a small file system of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Mount a file system of size $1 at $2, gone with the process, and run the rest in it; no root is needed in a user namespace.
ON_A_SMALL_DISK = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
ON_A_SMALL_DISK += ['mount -t tmpfs -o size="$1" tmpfs "$2" && cd "$2" && shift 2 && exec "$@"', "sh"]
RUN = """
import contextlib, io, json, pathlib, sys
import torch
torch.set_num_threads(1)
from fit.cli import main
from lightning_modules.checkpoint_file import read_checkpoint
from lightning_modules.checkpoint_folder import newest_good

said = io.StringIO()
with contextlib.redirect_stderr(said):
    try:
        main(sys.argv[1:])
        code = 0
    except SystemExit as left:
        code = left.code
(folder,) = pathlib.Path("runs").glob("*/checkpoints")
path, passed_over = newest_good(folder)
last = read_checkpoint(folder / "last.ckpt")["state_dict"]["_extra_state"]["generator_step"]
names = sorted(path.name for path in folder.iterdir())
print(json.dumps([code, said.getvalue().splitlines(), str(path), passed_over, last, names]), file=sys.__stdout__)
"""
SMALL = [
    "--card=0",
    "--data.size=[32,32]",
    "--data.batch_size=1",
    "--data.workers=0",
    "--samples.clips=1",
    "--trainer.precision=32-true",
]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where a small file system can be mounted, or a skip."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare to mount a small file system with")
    (tmp_path / "disk").mkdir()
    tried = subprocess.run([*ON_A_SMALL_DISK, "1m", tmp_path / "disk", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {tried.stderr.strip()}")
    return tmp_path / "disk"


@pytest.mark.slow
def test_a_full_disk_while_saving_leaves_the_checkpoint_before(disk: Path) -> None:
    command = [sys.executable, "-c", RUN, "--model.steps=9", "--checkpoints.every=1", "--checkpoints.keep=9", *SMALL]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    whole = [*ON_A_SMALL_DISK, "30m", disk, *command]
    done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=200, env=environment)
    assert done.stdout, done.stderr
    code, said, path, passed_over, last, names = json.loads(done.stdout.splitlines()[-1])
    assert last >= 1
    assert path.endswith(f"/step-{last:06d}.ckpt")
    assert passed_over == []
    assert names == sorted(["last.ckpt", *(f"step-{n + 1:06d}.ckpt{end}" for n in range(last) for end in ("", ".sha256"))])
    assert code == 2
    progress = "step "  # said every so many seconds
    assert [line for line in said if not line.startswith(progress)] == [
        f"error: {path.replace(f'{last:06d}', f'{last + 1:06d}')}: No space left on device while this checkpoint was being "
        "saved; those saved before are intact; make room there, then continue from the newest"
    ]
