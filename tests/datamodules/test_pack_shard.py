import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import pack_shard
from datamodules.errors import DataError
from datamodules.pack_shard import Shard, put, read_sequence, record_type, records, write_shard

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shard(tmp_path: Path, vimeo: Callable[..., Path]) -> Callable[[str], Shard]:
    """The same six clips, for a folder of any name."""
    root = vimeo(tmp_path / "root", train=6, test=1)
    names = np.array((root / "sep_trainlist.txt").read_text().split(), dtype=np.bytes_)

    def build(folder: str) -> Shard:
        (tmp_path / folder).mkdir()
        return Shard(tmp_path / folder / "00000.avi", root / "sequences", names, 7, (16, 28), "lossless")

    return build


def whole(shard: Shard) -> tuple[bytes, bytes]:
    write_shard(shard)
    assert not shard.part.exists()
    return shard.path.read_bytes(), shard.journal.read_bytes()


def written(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Writes the shard and tells which clips were read for it."""
    read = []

    def count(folder: Path, *rest: object) -> np.ndarray:
        read.append(f"{folder.parent.name}/{folder.name}")
        return read_sequence(folder, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(pack_shard, "read_sequence", count)
        write_shard(shard)
    return read


def test_records_tell_what_was_written(shard: Callable[[str], Shard]) -> None:
    made = shard("a")
    whole(made)
    assert len(records(made)) == 6
    assert made.journal.stat().st_size == 6 * record_type(7).itemsize


def test_wherever_the_writing_stops_it_goes_on_from_the_last_whole_clip(
    shard: Callable[[str], Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = whole(shard("right"))
    names = shard("names").names
    for stop in range(1 + 2 * len(names) + 2):  # at every write: header, data and record of each clip, index, header
        for share in (0.0, 0.5):
            made, calls = shard(f"{stop}{share}"), []

            def failing(file, content, stop=stop, share=share, calls=calls):
                calls.append(content)
                if len(calls) > stop:
                    put(file, content[: int(len(content) * share)])
                    raise KeyboardInterrupt
                put(file, content)

            with monkeypatch.context() as patch:
                patch.setattr(pack_shard, "put", failing)
                with pytest.raises(KeyboardInterrupt):
                    write_shard(made)
            done = len(records(made))
            assert done == min(6, max(0, (stop - 1) // 2))
            assert [name.encode() for name in written(made, monkeypatch)] == names[done:].tolist()
            assert (made.path.read_bytes(), made.journal.read_bytes()) == right


@pytest.mark.parametrize(
    "what", ["data", "frame", "record", "data beyond", "records beyond", "journal gone", "part gone", "all zero"]
)
def test_nothing_half_written_is_believed(shard: Callable[[str], Shard], monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    right, made = whole(shard("right")), shard("made")
    content, journal = right
    size = record_type(7).itemsize
    third = len(made.header()) + sum(
        pack_shard.avi.room(n) for n in records(shard_of("right", made))["length"][:2].ravel().tolist()
    )
    damaged = bytearray(content)
    damaged[third + 100] ^= 1
    misframed = bytearray(content)
    misframed[third + 5] ^= 1  # the length that only other programs read
    part, records_there, believed = {
        "data": (bytes(damaged), journal, 2),
        "frame": (bytes(misframed), journal, 2),
        "record": (content, journal[: 3 * size - 9] + b"\1" + journal[3 * size - 8 :], 2),
        "data beyond": (content, journal[: 2 * size], 2),
        "records beyond": (content[:third], journal, 2),
        "journal gone": (content, b"", 0),
        "part gone": (b"", journal, 0),
        "all zero": (bytes(len(content)), bytes(len(journal)), 0),
    }[what]
    made.part.write_bytes(part)
    made.journal.write_bytes(records_there)
    assert len(written(made, monkeypatch)) == 6 - believed
    assert (made.path.read_bytes(), made.journal.read_bytes()) == right


def shard_of(folder: str, like: Shard) -> Shard:
    return like._replace(path=like.path.parent.parent / folder / like.path.name)


def test_a_finished_file_is_left_alone(shard: Callable[[str], Shard], monkeypatch: pytest.MonkeyPatch) -> None:
    made = shard("a")
    right = whole(made)
    before = made.path.stat()
    assert written(made, monkeypatch) == []
    assert made.path.stat() == before
    for journal in (b"", right[1][:-1] + bytes([right[1][-1] ^ 1])):
        made.journal.write_bytes(journal)  # without its records nothing is known of it
        assert len(written(made, monkeypatch)) == 6
        assert (made.path.read_bytes(), made.journal.read_bytes()) == right


def test_a_full_disk_is_one_line_and_what_is_good_stays(shard: Callable[[str], Shard], monkeypatch: pytest.MonkeyPatch) -> None:
    right, made, room = whole(shard("right")), shard("made"), [20_000]

    class FullFile(pack_shard.FileIO):
        """Takes what there is room for, then nothing."""

        def write(self, content: memoryview) -> int:
            room[0] -= len(content)
            if room[0] < 0:
                taken = super().write(content[: max(0, len(content) + room[0])])
                if taken:
                    return taken
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content)

    with monkeypatch.context() as patch:
        patch.setattr(pack_shard, "FileIO", FullFile)
        with pytest.raises(DataError, match="got No space left on device; make room, then run"):
            write_shard(made)
    done = len(records(made))
    assert 0 < done < 6
    assert len(written(made, monkeypatch)) == 6 - done
    assert (made.path.read_bytes(), made.journal.read_bytes()) == right


def test_two_at_once_do_not_mix(shard: Callable[[str], Shard]) -> None:
    right, made = whole(shard("right")), shard("made")
    code = (
        "import sys, pickle, time; from datamodules import pack_shard; from datamodules.pack_shard import *\n"
        "read = pack_shard.read_sequence\n"
        "pack_shard.read_sequence = lambda *a: (time.sleep(0.05), read(*a))[1]\n"
        "write_shard(pickle.loads(bytes.fromhex(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, pickle.dumps(made).hex()]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (made.path.read_bytes(), made.journal.read_bytes()) == right


def test_put_writes_all_of_it(tmp_path: Path) -> None:
    class Slow(pack_shard.FileIO):
        def write(self, content: memoryview) -> int:
            return super().write(content[:3])

    with Slow(tmp_path / "a", "w") as file:
        put(file, b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_pictures_must_be_there_and_of_one_size(tmp_path: Path, vimeo: Callable[..., Path]) -> None:
    folder = vimeo(tmp_path / "root") / "sequences" / "00001" / "0001"
    assert read_sequence(folder, 7, None).shape == (7, 16, 28, 3)
    with pytest.raises(DataError, match=r"im1.png: expected 30x16 pixels as in the first sequence, got 28x16"):
        read_sequence(folder, 7, (16, 30))
    content = (folder / "im3.png").read_bytes()
    for damaged in (content[: len(content) // 2], b"", content[:60] + bytes(40) + content[100:]):
        (folder / "im3.png").write_bytes(damaged)
        with pytest.raises(DataError, match=r"im3.png: expected a picture, got none, or a damaged one"):
            read_sequence(folder, 7, None)
    cv2.imwrite(str(folder / "im3.png"), np.zeros((17, 28, 3), dtype=np.uint8))
    with pytest.raises(DataError, match=r"im3.png: expected 28x16 pixels"):
        read_sequence(folder, 7, None)
