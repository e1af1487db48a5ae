"""Reading checkpoint files: what is none is refused in one line, and nothing in a file is ever executed."""

import os
import pickle
import random
from pathlib import Path

import pytest
import torch

from lightning_modules.checkpoint_file import CheckpointError, read_checkpoint

GOOD = {"state_dict": {"a": torch.arange(3.0)}, "hyper_parameters": {"_class_path": "x.Y"}}


class Malicious:
    """Would make a folder when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_reads_what_was_written(tmp_path: Path) -> None:
    torch.save(GOOD, tmp_path / "good.ckpt")
    read = read_checkpoint(tmp_path / "good.ckpt")
    assert torch.equal(read["state_dict"]["a"], GOOD["state_dict"]["a"])
    assert read["hyper_parameters"] == {"_class_path": "x.Y"}


def damaged(folder: Path) -> dict[str, Path]:
    torch.save(GOOD, folder / "good.ckpt")
    whole = (folder / "good.ckpt").read_bytes()
    files = {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"no checkpoint at all", "pickle": pickle.dumps({"a": 1})}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


@pytest.mark.parametrize("name", ["empty", "cut", "text", "pickle"])
def test_damaged_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = damaged(tmp_path)[name]
    with pytest.raises(CheckpointError, match="expected a checkpoint of this package, got a damaged or foreign file") as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [1, 2],
        {"state_dict": {}},
        {"state_dict": {}, "hyper_parameters": None},
        {"state_dict": {}, "hyper_parameters": {"lr": 1.0}},
        {"hyper_parameters": {"_class_path": "x.Y"}},
    ],
)
def test_checkpoints_of_something_else_are_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="got one of something else; use a run"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    torch.save(GOOD, tmp_path / "good.ckpt")
    whole, draws = (tmp_path / "good.ckpt").read_bytes(), random.Random(0)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(3):
            content[draws.randrange(len(content))] = draws.randrange(256)
        (tmp_path / "damaged.ckpt").write_bytes(content)
        try:
            read_checkpoint(tmp_path / "damaged.ckpt")
        except CheckpointError:
            refused += 1
    assert refused > 100  # damage within a tensor's numbers goes unnoticed here


@pytest.mark.parametrize("path", ["nowhere.ckpt", "."])
def test_no_file(path: str) -> None:
    with pytest.raises(CheckpointError, match="got no such file"):
        read_checkpoint(path)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    torch.save(GOOD | {"extra": Malicious(tmp_path / "made")}, tmp_path / "bad.ckpt")
    (tmp_path / "raw.ckpt").write_bytes(pickle.dumps(Malicious(tmp_path / "made")))
    for name in ("bad.ckpt", "raw.ckpt"):
        with pytest.raises(CheckpointError, match="damaged or foreign file"):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "made").exists()
    torch.load(tmp_path / "bad.ckpt", weights_only=False)  # it would have been
    assert (tmp_path / "made").exists()
