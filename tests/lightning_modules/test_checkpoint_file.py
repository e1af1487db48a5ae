"""Checkpoint files: written whole or not at all; any other is refused in one line, and nothing in a file is executed."""

import errno
import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from fit.messages import explain
from lightning_modules.checkpoint_file import (
    CheckpointError,
    copy_checkpoint,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from lightning_modules.sidecar import HashedFile

GOOD: dict[str, Any] = {"state_dict": {"a": torch.arange(3.0)}, "hyper_parameters": {"_class_path": "x.Y"}}


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


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)


def test_damage_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "good.ckpt"
    write_checkpoint(GOOD, path)
    whole, draws = path.read_bytes(), random.Random(0)
    for position in (0, len(whole) - 1, *draws.sample(range(len(whole)), 100)):
        flip(path, position)
        with pytest.raises(
            CheckpointError, match=r"good.ckpt: .*got a damaged one \(its SHA-256 is not the one in good.ckpt.sha256"
        ):
            read_checkpoint(path)
        path.write_bytes(whole)
    read_checkpoint(path)


def test_without_a_sidecar_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "good.ckpt"
    torch.save(GOOD, path)
    whole, draws = path.read_bytes(), random.Random(0)
    numbers = whole.index(GOOD["state_dict"]["a"].numpy().tobytes())
    harmless = 0
    for position in (numbers, numbers + 11, *draws.sample(range(len(whole)), 200)):
        flip(path, position)
        try:
            read = read_checkpoint(path)
        except CheckpointError:
            pass
        else:
            harmless += 1
            assert position not in (numbers, numbers + 11)
            assert torch.equal(read["state_dict"]["a"], GOOD["state_dict"]["a"])
            assert read["hyper_parameters"] == GOOD["hyper_parameters"]
        path.write_bytes(whole)
    assert harmless < 180  # what lies between the parts of the file is padding


def test_a_copy_without_its_sidecar_names_the_damaged_part(tmp_path: Path) -> None:
    torch.save(GOOD, tmp_path / "copy.ckpt")
    whole = (tmp_path / "copy.ckpt").read_bytes()
    flip(tmp_path / "copy.ckpt", whole.index(GOOD["state_dict"]["a"].numpy().tobytes()))
    with pytest.raises(CheckpointError, match=r"copy.ckpt: .*damaged one \(the CRC-32 of its part \S*data/0 is wrong"):
        read_checkpoint(tmp_path / "copy.ckpt")


def test_a_link_is_checked_against_the_sidecar_of_what_it_points_to(tmp_path: Path) -> None:
    write_checkpoint(GOOD, tmp_path / "good.ckpt")
    (tmp_path / "last.ckpt").symlink_to("good.ckpt")
    read_checkpoint(tmp_path / "last.ckpt")
    flip(tmp_path / "good.ckpt.sha256", 0)
    with pytest.raises(CheckpointError, match=r"last.ckpt: .*damaged one .*good.ckpt.sha256"):
        read_checkpoint(tmp_path / "last.ckpt")


# --- writing ---


def test_a_checkpoint_is_written_with_its_folder_and_its_digest(tmp_path: Path) -> None:
    write_checkpoint(GOOD, str(tmp_path / "new" / "good.ckpt"))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["good.ckpt", "good.ckpt.sha256"]
    assert torch.equal(read_checkpoint(tmp_path / "new" / "good.ckpt")["state_dict"]["a"], GOOD["state_dict"]["a"])
    copy_checkpoint(tmp_path / "new" / "good.ckpt", tmp_path / "copy.ckpt")
    assert (tmp_path / "copy.ckpt").read_bytes() == (tmp_path / "new" / "good.ckpt").read_bytes()
    assert (tmp_path / "copy.ckpt.sha256").exists()
    read_checkpoint(tmp_path / "copy.ckpt")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (
            errno.ENOSPC,
            "No space left on device while this checkpoint was being saved; those saved before are intact; make room",
        ),
        (errno.EDQUOT, "make room there, then continue from the newest"),
        (errno.EIO, "Input/output error while .* see to that, then continue from the newest"),
    ],
)
@pytest.mark.parametrize("after", [0, 3, 6])  # torch's writer turns some errors into its own
def test_what_the_disk_refuses_is_told_in_one_line(
    number: int, said: str, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(GOOD, tmp_path / "good.ckpt")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    taken = []
    write = HashedFile.write

    def refuse(self: HashedFile, data: bytes) -> int:
        taken.append(data)
        if len(taken) > after:
            self.error = self.error or OSError(number, os.strerror(number))
            raise self.error
        return write(self, data)

    monkeypatch.setattr(HashedFile, "write", refuse)
    with pytest.raises(OSError, match=said) as caught:
        write_checkpoint(GOOD | {"more": torch.zeros(9)}, tmp_path / "good.ckpt")
    assert caught.value.errno == number
    assert caught.value.filename == str(tmp_path / "good.ckpt")
    assert "\n" not in explain(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_told_likewise(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="while this checkpoint was being saved"):
        write_checkpoint(GOOD, tmp_path / "file" / "good.ckpt")


def test_removing(tmp_path: Path) -> None:
    write_checkpoint(GOOD, tmp_path / "good.ckpt")
    for _ in range(2):
        remove_checkpoint(tmp_path / "good.ckpt")
        assert list(tmp_path.iterdir()) == []


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
