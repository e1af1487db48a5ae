import time
from pathlib import Path

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.vimeo90k_lists import LAYOUTS, complete, find_layout, held_out, present, read_list


def column(*names: str) -> np.ndarray:
    return np.array(names, dtype=np.bytes_)


def published(folders: int = 96, each: int = 700) -> np.ndarray:
    return column(*(f"{folder:05d}/{number:04d}" for folder in range(1, folders + 1) for number in range(1, each + 1)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lists_are_read_in_their_order(tmp_path: Path, layout: object) -> None:
    (tmp_path / layout.list_of("train")).write_bytes(b"00001/0002\r\n\n 00001/0001 \n00010/0001")
    assert find_layout(tmp_path) == layout
    assert read_list(tmp_path / layout.list_of("train")).tolist() == [b"00001/0002", b"00001/0001", b"00010/0001"]


def test_every_picture_must_be_there(tmp_path: Path) -> None:
    names = column("00001/0001", "00001/0002", "00002/0001", "00003/0001")
    for name in names[:3].tolist():
        (tmp_path / name.decode()).mkdir(parents=True)
        for number in (1, 2, 3):
            (tmp_path / name.decode() / f"im{number}.png").touch()
    (tmp_path / "00001/0002/im2.png").unlink()
    assert complete(tmp_path, names, 3).tolist() == [True, False, True, False]
    assert complete(tmp_path, names, 4).tolist() == [False] * 4


def test_a_fiftieth_in_whole_folders_is_held_out() -> None:
    names = published()
    held = held_out(names)
    folders = np.char.partition(names, b"/")[:, 0]
    assert not set(folders[held]) & set(folders[~held])
    assert 0.02 <= held.mean() < 0.02 + 1 / 96
    order = np.random.default_rng(0).permutation(len(names))
    assert np.array_equal(held_out(names[order]), held[order])


def test_what_is_held_out_stays_the_same() -> None:
    # A change here would let runs that are continued train on what validated them.
    names = published()
    assert set(np.char.partition(names[held_out(names)], b"/")[:, 0]) == {b"00015", b"00044"}


@pytest.mark.parametrize("names", [published(1, 2), published(3, 1), published(2, 500), published(9, 3), published(10, 1)])
def test_few_sequences_are_divided_too(names: np.ndarray) -> None:
    held = held_out(names)
    assert 1 <= held.sum() <= max(1, 0.1 * len(names))


def test_a_long_list_is_quick_and_small(tmp_path: Path) -> None:
    names = published(100, 1000)
    (tmp_path / "list.txt").write_bytes(b"\n".join(names.tolist()))
    started = time.process_time()
    read = read_list(tmp_path / "list.txt")
    held_out(read)
    assert complete(tmp_path, read, 7).sum() == 0
    assert time.process_time() - started < 20
    assert np.array_equal(read, names)
    assert read.nbytes == 10 * len(read)


def test_missing_sequences_are_named(tmp_path: Path) -> None:
    names = column("00001/0001", "00001/0002", "00002/0001", "00003/0001", "00004/0001")
    assert present(tmp_path, names, np.full(5, True), False) == ""
    there = np.array([True, False, False, False, False])
    told = r"4 of 5 missing or incomplete \(00001/0002, 00002/0001, 00003/0001, ...\)"
    with pytest.raises(DataError, match=told + ".*allow_missing"):
        present(tmp_path, names, there, False)
    assert "4 of 5 missing" in present(tmp_path, names, there, True)
    with pytest.raises(DataError, match="5 of 5 missing"):
        present(tmp_path, names, np.full(5, False), True)
