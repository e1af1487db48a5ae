"""Kill -9 aimed at saving, the run folder on another file system than the temporary one: nothing wrong is ever left."""

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from torch import nn

from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.checkpoint_file import read_checkpoint, write_checkpoint
from lightning_modules.checkpoint_folder import newest_good, numbered, step_of, step_path

MEMORY = Path("/dev/shm")


def content(step: int) -> dict[str, Any]:
    """About 4 MB, every number of which follows from the step."""
    weights = {f"w{n}": torch.full((200_000 + n,), float(step)) + n / 8 for n in range(5)}
    return {"state_dict": weights, "hyper_parameters": {"_class_path": "x.Y"}, "step": step}


def assert_right(path: Path, step: int) -> None:
    read, expected = read_checkpoint(path), content(step)
    assert read["step"] == step
    assert read["state_dict"].keys() == expected["state_dict"].keys()
    assert all(torch.equal(read["state_dict"][name], value) for name, value in expected["state_dict"].items())


class Saver:
    """In place of a trainer: says on a pipe that a save begins, then saves."""

    is_global_zero = True

    def __init__(self, folder: Path, pipe: int) -> None:
        self.log_dir, self.pipe = str(folder.parent), pipe
        self.step = 0

    @property
    def callback_metrics(self) -> dict[str, float]:
        """Every fifth step is the best so far."""
        return {"score": float(self.step) if self.step % 5 == 0 else 0.0}

    def save_checkpoint(self, path: Path) -> None:
        os.write(self.pipe, b"%d\n" % self.step)
        write_checkpoint(content(self.step), path)


def save_until_killed(folder: Path, pipe: int, start: int) -> NoReturn:
    """What a run does to its folder, without the training in between."""
    saver: Any = Saver(folder, pipe)
    callback, method = Checkpoints(keep=2, best="score", mode="max"), nn.Module()
    method.generator_step = start  # type: ignore[assignment]
    callback.on_train_start(saver, method)  # type: ignore[arg-type]
    for saver.step in count(start + 1):
        callback.save(saver, saver.step)
    raise AssertionError


def kill_once(folder: Path, start: int, draws: random.Random) -> int:
    """Fork a process that saves, kill it within its second to fourth save or just after, and return that save's step."""
    reader, writer = os.pipe()
    victim = os.fork()  # the child of a process that has torch already is there at once; it starts no threads
    if victim == 0:
        try:
            save_until_killed(folder, writer, start)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader) as begun:
        steps, times = [], []
        for _ in range(draws.randint(2, 4)):
            steps.append(int(begun.readline()))
            times.append(time.perf_counter())
        time.sleep(draws.uniform(0, 1.1) * (times[-1] - times[0]) / (len(times) - 1))
        os.kill(victim, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(victim, 0)[1]) == signal.SIGKILL
        return int(max([str(steps[-1]), *begun.read().split()], key=int))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """On another file system than the temporary files."""
    if not MEMORY.is_dir() or MEMORY.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip(f"no {MEMORY} on another file system than {tempfile.gettempdir()}")
    run = Path(tempfile.mkdtemp(dir=MEMORY))
    yield run / "checkpoints"
    shutil.rmtree(run)


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.prove)])
def test_after_any_kill_the_newest_checkpoint_is_good_and_right(kills: int, folder: Path) -> None:
    draws, start, halves = random.Random(0), 0, 0
    for _ in range(kills):
        begun = kill_once(folder, start, draws)
        halves += any(folder.glob("*.part"))
        found = newest_good(folder)
        assert found is not None
        assert found[1] == []  # none had to be passed over
        start = step_of(found[0])
        assert begun - 1 <= start <= begun
        for path in numbered(folder):
            assert_right(path, step_of(path))
        last = step_of((folder / "last.ckpt").resolve())
        assert start - 1 <= last <= start
        assert_right(folder / "last.ckpt", last)
    print(f"{kills} kills, {halves} of them left a temporary file; the last step was {start}")


def test_a_step_found_wrong_would_be_told(folder: Path) -> None:
    write_checkpoint(content(2), step_path(folder, 3))
    with pytest.raises(AssertionError):
        assert_right(step_path(folder, 3), 3)
