import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import pack
from datamodules.pack_plan import Estimate, make_plan
from datamodules.pack_shard import write_shard
from datamodules.packed import INDEX, Pack, shard_path

ROOT = Path(__file__).resolve().parents[2]


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "datamodules.pack", *map(str, args)]


def run(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args), cwd=ROOT, capture_output=True, text=True, timeout=200, **options)


def contents(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): sha256(path.read_bytes()).hexdigest() for path in out.rglob("*") if path.is_file()}


def bytes_in(out: Path) -> int:
    total = 0
    for path in out.glob("shards/*.journal"):
        with suppress(FileNotFoundError):  # a pack that is finishing removes them
            total += path.stat().st_size
    return total


def journals(out: Path) -> dict[str, bytes]:
    """The whole records, of 60 bytes, by file."""
    found = {path.name: path.read_bytes() for path in out.glob("shards/*.journal")}
    return {name: content[: len(content) // 60 * 60] for name, content in found.items()}


def kill_at_random(root: Path, out: Path, kills: int, draws: np.random.Generator) -> tuple[int, int]:
    """Packs with as many kills -9, each at a moment of its own: while starting, writing, or finishing. Goes on each time.

    Returns:
        Kills that hit a living process, and packs that came to their end in between and were begun anew elsewhere.
    """
    hits, ends, before = 0, 0, {}
    while hits < kills:
        going = subprocess.Popen(
            command(root, out, "--processes", 2), cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
        )
        if draws.random() < 0.3:
            time.sleep(draws.uniform(0, 2.5))
        else:  # after some more clips
            goal = bytes_in(out) + int(draws.integers(1, 30)) * 60
            while going.poll() is None and bytes_in(out) < goal:
                time.sleep(0.001)
        if going.poll() is None:
            hits += 1
            if draws.random() < 0.9:  # everything at once, or the parent only
                os.killpg(going.pid, signal.SIGKILL)
            else:
                going.kill()
        if going.wait() == 0:
            ends += 1
            assert contents(out) == contents(out.parent / "right")
            out, before = out.parent / f"again {ends}", {}
        elif not (out / INDEX).exists():  # nothing that was done is lost
            assert all(journals(out)[name].startswith(content) for name, content in before.items())
            before = journals(out)
        else:  # it was removing the records
            before = {}
    assert run(root, out).returncode == 0
    assert contents(out) == contents(out.parent / "right")
    return hits, ends


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, vimeo: Callable[..., Path]) -> Path:
    """530 small clips, two shards."""
    return vimeo(tmp_path_factory.mktemp("vimeo") / "root", 500, 30)


@pytest.fixture(scope="module")
def right(root: Path) -> Path:
    """The same, packed without interruption."""
    out = root.parent / "right"
    assert run(root, out, "--processes", 1).returncode == 0
    return out


def test_the_command_says_what_it_will_do_and_what_it_did(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path / "out", "--format", "small", "--processes", 2)
    assert done.returncode == 0, done.stderr
    told, *_, last = done.stderr.strip().splitlines()
    assert re.fullmatch(
        rf"{root}: 530 clips of 7 pictures 28x16; small, 2 processes: about \d+ seconds and [\d.]+ MB \([\d.]+ GB free\)", told
    )
    assert re.fullmatch(rf"{tmp_path}/out: 530 clips, [\d.]+ MB, \d+ seconds", last)
    estimated, actual = (float(re.findall(r"([\d.]+) MB", line)[0]) for line in (told, last))
    assert estimated == pytest.approx(actual, rel=0.1)
    assert "packing: 100%" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out" / "shards").iterdir()) == [f"{n:05d}.avi" for n in range(2)]
    again = run(root, tmp_path / "out", "--format", "small")
    assert (again.returncode, again.stderr) == (0, f"{tmp_path}/out: 530 clips, packed before; --verify checks them\n")


def test_the_number_of_processes_changes_nothing(root: Path, right: Path, tmp_path: Path) -> None:
    assert run(root, tmp_path / "out", "--processes", 2).returncode == 0
    assert contents(tmp_path / "out") == contents(right)


def test_killed_at_any_moment_it_ends_the_same(root: Path, right: Path, tmp_path: Path) -> None:
    (tmp_path / "right").symlink_to(right)
    hits, _ = kill_at_random(root, tmp_path / "out", 4, np.random.default_rng(0))
    assert hits == 4


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_two_hundred_kills(tmp_path: Path, vimeo: Callable[..., Path]) -> None:
    root = vimeo(tmp_path / "root", 2400, 100, folders=20)
    assert run(root, tmp_path / "right").returncode == 0
    hits, ends = kill_at_random(root, tmp_path / "out", 200, np.random.default_rng(1))
    print(f"{hits} kills; {ends + 1} packs of 2500 clips, all alike")


@contextmanager
def never_ready(picture: Path, aside: Path) -> Iterator[None]:
    """Reading this picture waits for ever, so no machine is fast enough to finish a pack meanwhile."""
    kept = picture.rename(aside / picture.name)
    os.mkfifo(picture)
    try:
        yield
    finally:
        picture.unlink()
        kept.rename(picture)


def test_interrupted_by_hand_it_says_how_to_go_on(root: Path, right: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    name = Pack(right).index.name[300].decode()  # not one of those packed beforehand to estimate the time
    with never_ready(root / "sequences" / name / "im7.png", tmp_path):
        going = subprocess.Popen(command(root, out), cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            while bytes_in(out) < 600:
                time.sleep(0.001)
            os.killpg(going.pid, signal.SIGINT)
            _, told = going.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):  # it would wait for ever
                os.killpg(going.pid, signal.SIGKILL)
    assert going.returncode == 130
    assert told.strip().splitlines()[-1] == "interrupted; what is packed stays, run the same command to go on"
    assert "Traceback" not in told
    done = run(root, out)
    assert re.search(r"530 clips of 7 pictures 28x16, [1-9]\d* of them packed before; lossless", done.stderr)
    assert contents(out) == contents(right)


def test_a_disk_that_fills_up_is_one_line_and_what_is_good_stays(root: Path, right: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))

    full = run(root, tmp_path / "out", preexec_fn=small_files)
    assert full.returncode == 2
    last = full.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        r"error: \S+/shards/0000\d.avi: expected a disk that takes it, got File too large; make room, .* go on", last
    )
    assert "Traceback" not in full.stderr
    done = bytes_in(tmp_path / "out")
    assert done > 0
    assert run(root, tmp_path / "out").returncode == 0
    assert contents(tmp_path / "out") == contents(right)


def test_too_little_room_is_told_before_any_work(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    assert pack.main([str(root), str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"error: \S+/out: expected [\d.]+ MB of room, got 1.0 MB; make room, .*, or --format small", told[-1])
    assert bytes_in(tmp_path / "out") == 0


def test_what_is_there_needs_no_more_time_and_room(
    tmp_path: Path, vimeo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datamodules.pack_plan.CLIPS", 3)
    monkeypatch.setattr(pack, "estimate", lambda plan: Estimate(seconds=10.0, bytes=2e6))
    monkeypatch.setattr(pack, "cores", lambda: 2)
    plan = make_plan(vimeo(tmp_path / "root"), tmp_path / "out", "lossless", allow_missing=False)
    (plan.out / "shards").mkdir(parents=True)
    pack.announce(plan, 4)
    write_shard(next(iter(plan.shards())))
    pack.announce(plan, 1)
    first, second = capsys.readouterr().err.splitlines()
    assert "7 clips of 7 pictures 28x16; lossless, 4 processes: about 35 seconds and 14.0 MB" in first
    assert "7 clips of 7 pictures 28x16, 3 of them packed before; lossless, 1 processes: about 40 seconds and 8.0 MB" in second


def test_verify_names_what_is_wrong(root: Path, right: Path, tmp_path: Path) -> None:
    good = run(root, right, "--verify")
    assert (good.returncode, good.stdout) == (0, "")
    assert good.stderr.endswith("530 clips compared with their pictures; 0 things wrong\n")
    alone = run(tmp_path / "gone", right, "--verify")
    assert alone.stderr.endswith("530 clips checked alone; 0 things wrong\n")
    path, index = shard_path(right, 1), Pack(right).index
    content, name = path.read_bytes(), index.name[512].decode()
    place = int(index.offset[512, 0])
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    bad = run(root, right, "--verify")
    path.write_bytes(content)
    assert bad.returncode == 1
    assert bad.stdout.startswith(f"{path}: expected picture 1 as it was packed for {name}, got other bytes")
    assert len(bad.stdout.splitlines()) == 1
    assert bad.stderr.endswith("1 things wrong\n")


def test_mistakes_are_one_line(
    root: Path, right: Path, tmp_path: Path, vimeo: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    other = vimeo(tmp_path / "other")
    (other / "sequences" / "00001" / "0001" / "im2.png").unlink()
    with pack.alone(tmp_path / "busy"):
        for args, told in (
            ([root, right, "--format", "small"], "expected a pack with format small, got format lossless"),
            ([tmp_path / "nothing", tmp_path / "out"], "expected the folder of Vimeo-90K, got no folder"),
            ([other, tmp_path / "out"], r"1 of 5 missing or incomplete \(00001/0001\)"),
            ([root, tmp_path / "busy"], "expected a folder nobody packs into, got one at work"),
            ([root, tmp_path / "none", "--verify"], "expected the index of a finished pack, got none"),
            ([other, right, "--verify"], f"expected a pack of {other}, got one of {root}"),
            ([root, root / "sep_trainlist.txt"], "sep_trainlist.txt: File exists"),
        ):
            assert pack.main([str(arg) for arg in args]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert re.match(r"error: .*" + told, line)
    with pytest.raises(SystemExit, match="2"):
        pack.main([str(root), str(right), "--processes", "0"])


def test_a_damaged_picture_stops_the_pack_and_is_named(tmp_path: Path, vimeo: Callable[..., Path]) -> None:
    other = vimeo(tmp_path / "other", train=30)
    picture = other / "sequences" / "00002" / "0020" / "im2.png"
    good = picture.read_bytes()
    picture.write_bytes(good[:-40])
    stopped = run(other, tmp_path / "out")
    assert stopped.returncode == 2
    assert f"error: {picture}: expected a picture, got none, or a damaged one" in stopped.stderr
    picture.write_bytes(good)
    assert run(other, tmp_path / "out").returncode == 0


def test_missing_sequences_can_be_left_out(tmp_path: Path, vimeo: Callable[..., Path]) -> None:
    other = vimeo(tmp_path / "other")
    (other / "sequences" / "00001" / "0001" / "im2.png").unlink()
    done = run(other, tmp_path / "out", "--allow-missing")
    assert done.returncode == 0
    assert "1 of 5 missing or incomplete (00001/0001); going on without them" in done.stderr
    assert len(Pack(tmp_path / "out")) == 6


def test_amounts_for_people() -> None:
    assert [pack.amount(size) for size in (12.3e6, 999e6, 60.1e9)] == ["12.3 MB", "999.0 MB", "60.1 GB"]
    assert [pack.duration(seconds) for seconds in (0.4, 119, 1200)] == ["0 seconds", "119 seconds", "20 minutes"]


@pytest.mark.shared
def test_real_septuplets(shared: Path, tmp_path: Path) -> None:
    """Every frame of a lossless pack equals its PNG."""
    root = shared / "vimeo_septuplet"
    assert run(root, tmp_path / "out").returncode == 0
    packed = Pack(tmp_path / "out")
    assert len(packed) == 18
    for clip, name in enumerate(packed.index.name.tolist()):
        folder = root / "sequences" / name.decode()
        pictures = np.stack([cv2.imread(str(folder / f"im{i}.png"), cv2.IMREAD_COLOR_RGB) for i in range(1, 8)])
        assert np.array_equal(packed.read(clip, range(7)), pictures)
