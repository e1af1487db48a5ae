import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.pack_verify import wrong_clips, wrong_lists
from datamodules.packed import Pack, shard_path


@pytest.fixture
def packed(tmp_path: Path, vimeo: Callable[..., Path], pack_small_shards: Callable[..., Path]) -> Path:
    return pack_small_shards(vimeo(tmp_path / "root"), tmp_path / "out")


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_nothing_is_wrong_with_a_good_pack(tmp_path: Path, packed: Path) -> None:
    assert list(wrong_lists(packed)) == []
    for shard in range(3):
        assert wrong_clips(packed, shard, tmp_path / "root" / "sequences") == []
        assert wrong_clips(packed, shard, None) == []


@pytest.mark.parametrize("form", ["lossless", "small"])  # only the second has pictures of odd length
def test_every_flipped_byte_of_a_file_is_found(
    tmp_path: Path, vimeo: Callable[..., Path], pack_small_shards: Callable[..., Path], form: str
) -> None:
    packed = pack_small_shards(vimeo(tmp_path / "root"), tmp_path / "out", form)
    path, index = shard_path(packed, 2), Pack(packed).index
    content, name = path.read_bytes(), index.name[6].decode()
    inside = np.zeros(len(content), dtype=bool)
    for first, length in zip(index.offset[6], index.length[6], strict=True):
        inside[first : first + length] = True
    # All around the pictures, and a few places in each of them.
    places = [*np.flatnonzero(~inside).tolist(), *np.flatnonzero(inside)[::997].tolist()]
    for place in places:
        flip(path, place)
        (line,) = wrong_clips(packed, 2, None)
        assert line.startswith(f"{path}: expected ")
        assert (name in line) == bool(inside[place])
        path.write_bytes(content)
    for other in (content + b"\0", content[:-1]):
        path.write_bytes(other)
        assert "the frame of an AVI file" in wrong_clips(packed, 2, None)[0]


def test_every_damaged_clip_is_named(packed: Path) -> None:
    index = Pack(packed).index
    for clip in (0, 2):
        flip(shard_path(packed, 0), int(index.offset[clip, 3]))
    wrong = wrong_clips(packed, 0, None)
    assert len(wrong) == 2
    assert all(index.name[clip].decode() in line for clip, line in zip((0, 2), wrong, strict=True))
    assert wrong_clips(packed, 1, None) == []
    shard_path(packed, 1).unlink()
    assert len(wrong_clips(packed, 1, None)) == 3


def test_other_pictures_than_those_packed_are_named(tmp_path: Path, packed: Path) -> None:
    sequences, names = tmp_path / "root" / "sequences", Pack(packed).index.name
    picture = sequences / names[1].decode() / "im4.png"
    pixels = cv2.imread(str(picture))
    pixels[3, 5, 1] ^= 1
    cv2.imwrite(str(picture), pixels)
    shutil.rmtree(sequences / names[2].decode())
    changed, gone = wrong_clips(packed, 0, sequences)
    assert changed.startswith(f"{picture.parent}: expected the pictures packed in {shard_path(packed, 0)}, got others")
    assert gone.startswith(f"{sequences / names[2].decode() / 'im1.png'}: expected a picture, got none")


def test_lists_must_name_what_was_packed(packed: Path) -> None:
    path = packed / "sep_trainlist.txt"
    names = path.read_text().split()
    path.write_text("\n".join(names[1:]))
    assert list(wrong_lists(packed)) == [f"{path}: expected {names[0]}, got no such line; restore the list"]
    (packed / "sep_testlist.txt").unlink()
    assert any("sep_testlist.txt: expected a list of sequences, got no file" in line for line in wrong_lists(packed))
    path.unlink()
    assert any("got neither" in line for line in wrong_lists(packed))
