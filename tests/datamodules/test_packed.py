import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.decode import DecordReader
from datamodules.errors import DataError
from datamodules.packed import INDEX, Index, Pack, is_packed, read_index, shard_path


def originals(root: Path, name: bytes, length: int = 7) -> np.ndarray:
    folder = root / "sequences" / name.decode()
    return np.stack([cv2.imread(str(folder / f"im{i}.png"), cv2.IMREAD_COLOR_RGB) for i in range(1, length + 1)])


@pytest.fixture
def packed(tmp_path: Path, vimeo: Callable[..., Path], pack_small_shards: Callable[..., Path]) -> Path:
    return pack_small_shards(vimeo(tmp_path / "root"), tmp_path / "out")


@pytest.mark.parametrize("length", [7, 3])
def test_every_run_of_every_clip_is_its_pictures(
    tmp_path: Path, vimeo: Callable[..., Path], pack_small_shards: Callable[..., Path], length: int
) -> None:
    root = vimeo(tmp_path / "root", length=length)
    pack = pickle.loads(pickle.dumps(Pack(pack_small_shards(root, tmp_path / "out"))))
    assert len(pack) == 7
    assert pack.index.shard.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert pack.index.split.tolist() == [0] * 5 + [1] * 2
    for clip, name in enumerate(pack.index.name.tolist()):
        pictures = originals(root, name, length)
        for start in range(length):
            for end in range(start + 1, length + 1):
                assert np.array_equal(pack.read(clip, range(start, end)), pictures[start:end])
        assert np.array_equal(pack.read(clip, [0, 2]), pictures[[0, 2]])


def test_decord_and_any_other_program_read_the_files(tmp_path: Path, packed: Path) -> None:
    pack = Pack(packed)
    reader = DecordReader(shard_path(packed, 1))
    assert len(reader) == 3 * 7
    assert reader.key_frames() == list(range(21))
    for place, clip in enumerate((3, 4, 5)):
        numbers = range(7 * place, 7 * place + 7)
        assert np.array_equal(reader.read(numbers), originals(tmp_path / "root", pack.index.name[clip]))


def test_clips_are_found_by_name(packed: Path) -> None:
    pack = Pack(packed)
    wanted = np.array([pack.index.name[4], b"99999/0001", pack.index.name[0], b"00000/0000", pack.index.name[6]])
    numbers, there = pack.find(wanted)
    assert numbers.tolist() == [4, 0, 6]
    assert there.tolist() == [True, False, True, False, True]


@pytest.mark.parametrize("form", ["lossless", "small"])
def test_no_flipped_bit_passes_unseen(
    tmp_path: Path, vimeo: Callable[..., Path], pack_small_shards: Callable[..., Path], form: str
) -> None:
    pack = Pack(pack_small_shards(vimeo(tmp_path / "root", train=2, test=1), tmp_path / "out", form))
    right = [pack.read(clip, range(7)) for clip in range(3)]
    path = shard_path(pack.root, 0)
    content = path.read_bytes()
    seen, draws = [], np.random.default_rng(0)
    for place in draws.integers(len(content), size=150).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        for clip, frames in enumerate(right):
            try:
                assert np.array_equal(pack.read(clip, range(7)), frames)
            except DataError as error:
                seen.append((str(error).startswith(f"{path}: expected picture"), pack.index.name[clip].decode() in str(error)))
    assert len(seen) > 100
    assert set(seen) == {(True, True)}


def test_a_file_cut_short_or_gone_is_named(packed: Path) -> None:
    pack = Pack(packed)
    path = shard_path(packed, 2)
    name = pack.index.name[6].decode()
    content = path.read_bytes()
    last = int(pack.index.offset[6, 6] + pack.index.length[6, 6])
    path.write_bytes(content[: last - 1])
    with pytest.raises(DataError, match=rf"expected {last} bytes for {name}, got {last - 1}"):
        pack.read(6, range(7))
    assert len(pack.read(6, range(6))) == 6  # the rest is as good as it was
    path.unlink()
    with pytest.raises(DataError, match=rf"00002.avi: expected a file for {name}, got No such file"):
        pack.read(6, range(7))
    assert len(pack.read(0, range(7))) == 7


def test_bytes_of_the_wrong_kind_are_an_error_of_the_data(packed: Path) -> None:
    pack = Pack(packed)
    pack.form = "small"
    with pytest.raises(DataError, match=r"00000.avi: expected pictures of 28x16 for 00001/0001"):
        pack.read(0, [0])


def test_a_damaged_index_is_refused(packed: Path) -> None:
    assert is_packed(packed)
    content = (packed / INDEX).read_bytes()
    draws = np.random.default_rng(0)
    refused = 0
    good = read_index(packed)
    for place in draws.integers(len(content), size=100).tolist():
        (packed / INDEX).write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        try:
            index = read_index(packed)
            assert all(np.array_equal(a, b) for a, b in zip(index, good, strict=True))
        except DataError:
            refused += 1
    assert refused > 50
    for length in (0, 10, len(content) // 2, len(content) - 1):
        (packed / INDEX).write_bytes(content[:length])
        with pytest.raises(DataError, match=r"index.npz: expected the columns of an index, got something else"):
            Pack(packed)


def test_an_unfinished_or_foreign_pack_is_refused(tmp_path: Path, packed: Path) -> None:
    index = read_index(packed)._asdict()
    (packed / INDEX).unlink()
    assert is_packed(packed)
    with pytest.raises(DataError, match="expected the index of a finished pack, got none; run the same python -m"):
        Pack(packed)
    np.savez(packed / INDEX, **(index | {"version": np.array(2)}))
    with pytest.raises(DataError, match="expected version 1, lossless or small, got version 2, lossless"):
        Pack(packed)
    np.savez(packed / INDEX, **(index | {"form": np.array("tiny")}))
    with pytest.raises(DataError, match="got version 1, tiny"):
        Pack(packed)
    assert not is_packed(tmp_path)


def test_a_hundred_thousand_clips_are_small_and_quick(tmp_path: Path) -> None:
    count = 100_000
    names = np.array([f"{i // 1000:05d}/{i % 1000:04d}" for i in range(count)], dtype=np.bytes_)
    numbers = np.zeros((count, 7), dtype=np.uint32)
    flat = np.zeros(count, dtype=np.uint32)
    size, form, version = np.array([256, 448]), np.array("small"), np.array(1)
    index = Index(names, flat.astype(np.uint8), flat, numbers, numbers, numbers, size, form, version)
    np.savez(tmp_path / INDEX, **index._asdict())
    pack = Pack(tmp_path)
    found, there = pack.find(names[::-1])
    assert there.all()
    assert np.array_equal(found, np.arange(count)[::-1])
    assert len(pickle.dumps(pack)) < 12e6
