import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fit import ranks
from fit.ranks import Ranks, first_process, started_outside

NAMES = ["LOCAL_RANK", "NODE_RANK", "RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "SLURM_PROCID", "SLURM_NTASKS"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "LOCAL_RANK": "0"}
SLURM = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train"}


@pytest.mark.parametrize(
    ("environment", "first", "outside"),
    [
        ({}, True, False),
        ({"LOCAL_RANK": "1"}, False, True),
        ({"NODE_RANK": "1"}, False, False),
        (TORCHRUN | {"RANK": "0"}, True, True),
        (TORCHRUN | {"RANK": "2"}, False, True),
        (SLURM | {"SLURM_PROCID": "0"}, True, True),
        (SLURM | {"SLURM_PROCID": "1"}, False, True),
    ],
)
def test_the_first_process_is_known_from_the_environment(
    environment: dict[str, str], first: bool, outside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (first_process(), started_outside()) == (first, outside)
    if outside:
        others = Ranks(3, python("raise SystemExit(3)"))
        others.start()
        assert others.processes == []
        others.close(failed=False)


def test_every_rank_knows_its_place_and_where_to_meet(tmp_path: Path) -> None:
    before = dict(os.environ)
    others = Ranks(
        3,
        python(f"""import os
names = 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT', 'PYTHONPATH', 'FIT_PARENT'
open({str(tmp_path)!r} + '/' + os.environ['LOCAL_RANK'], 'w').write(' '.join(os.environ[name] for name in names))"""),
    )
    own = [os.environ[name] for name in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")]
    others.start()
    others.close(failed=False)
    told = [(tmp_path / str(rank)).read_text().split() for rank in (1, 2)]
    assert own[:2] == ["0", "127.0.0.1"]
    assert [one[:3] for one in told] == [[str(rank), *own[1:]] for rank in (1, 2)]
    assert all(one[3].startswith(str(ROOT)) and one[4] == str(os.getpid()) for one in told)
    assert dict(os.environ) == before


def test_one_device_starts_nothing() -> None:
    alone = Ranks(1, python("raise SystemExit(3)"))
    alone.start()
    assert "LOCAL_RANK" not in os.environ
    assert alone.processes == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("raise SystemExit(3)", "ended with status 3"),
        ("raise SystemExit(143)", ""),
        ("", ""),
    ],
)
def test_a_casualty_is_named_with_its_reason(source: str, reason: str) -> None:
    others = Ranks(2, python(source))
    others.start()
    others.processes[0].wait()
    found = others.casualty()
    others.close(failed=False)
    assert reason in found
    assert bool(found) == bool(reason)
    if found:
        assert found.startswith(f"rank 1 (process {others.processes[0].pid})")


def test_after_a_failure_nobody_is_left() -> None:
    others = Ranks(2, python("import time; time.sleep(60)"))
    others.start()
    began = time.monotonic()
    others.close(failed=True)
    assert time.monotonic() - began < 10
    assert others.processes[0].returncode == -signal.SIGKILL


FIRST = """
import sys, time
from fit import ranks
ranks.GRACE = 0.5
others = ranks.Ranks(2, [sys.executable, "-c", sys.argv[1]])
others.start()
print(others.processes[0].pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_process_that_waits_for_the_dead_is_ended_with_the_reason() -> None:
    first = subprocess.run(
        [*python(FIRST), "raise SystemExit(7)"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert first.returncode == 1
    assert "error: rank 1 (process" in first.stderr
    assert "status 7" in first.stderr


@pytest.mark.slow
def test_a_rank_leaves_when_the_first_is_gone() -> None:
    rank = "from fit.ranks import Ranks; import time; Ranks(1, []).start(); time.sleep(60)"
    first = subprocess.Popen([*python(FIRST), rank], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    other = int(first.stdout.readline())
    time.sleep(0.2)
    first.kill()
    first.wait()
    until = time.monotonic() + 40
    while Path(f"/proc/{other}").exists() and "State:\tZ" not in Path(f"/proc/{other}/status").read_text():
        assert time.monotonic() < until
        time.sleep(0.1)
    first.stdout.close()


def test_a_free_port_can_be_listened_on() -> None:
    assert 1024 <= ranks.free_port() < 65536
