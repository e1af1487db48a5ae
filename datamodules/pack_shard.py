"""Writes one shard of a packed Vimeo-90K, so that it may be killed at any moment and continued.

Each clip is appended to ``00000.avi.part``, then a record of it, with checksums, to ``00000.journal``. Who continues believes
a record only if it is whole and the bytes it speaks of are what it says, and cuts off what comes after. Renaming the file to
``00000.avi`` is the last step. What results depends on the pictures alone, not on how often the work was interrupted.
"""

import fcntl
import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules import avi
from datamodules.errors import DataError
from datamodules.pack_formats import CODECS, Format, Frames, encode
from datamodules.vimeo90k_lists import Names


class Shard(NamedTuple):
    """What goes into a file: its path when finished, where the sequences are, which of them, and how they are packed."""

    path: Path
    sequences: Path
    names: Names
    length: int
    size: tuple[int, int]
    form: Format

    @property
    def journal(self) -> Path:
        """The records of the clips written so far."""
        return self.path.with_suffix(".journal")

    @property
    def part(self) -> Path:
        """The file while it is written."""
        return self.path.with_suffix(".avi.part")

    def header(self, data: int = 0) -> bytes:
        """The beginning of the file."""
        return avi.header(*CODECS[self.form], self.size, len(self.names) * self.length, data)


def record_type(length: int) -> np.dtype[np.void]:
    """A record of the journal, for clips of ``length`` pictures."""
    return np.dtype([("length", "<u4", (length,)), ("checksum", "<u4", (length,)), ("own", "<u4")])


def records(shard: Shard) -> NDArray[np.void]:
    """The whole records of a journal, from its beginning to the first one that is not."""
    kind = record_type(shard.length)
    content = shard.journal.read_bytes() if shard.journal.exists() else b""
    found = np.frombuffer(content, kind, min(len(content) // kind.itemsize, len(shard.names)))
    whole = [crc32(record.tobytes()[:-4]) == record["own"] for record in found]
    return found[: whole.index(False) if False in whole else len(found)]


def write_shard(shard: Shard) -> None:
    """Write a shard, or what is still missing of it.

    Raises:
        DataError: a picture is missing, damaged, or of another size; or the disk does not take what is written.
    """
    try:
        # Whoever is killed leaves workers behind that end a moment later; this lock keeps them and their successors apart.
        with FileIO(shard.journal, "a+") as journal:
            fcntl.flock(journal, fcntl.LOCK_EX)
            known = records(shard)
            if len(known) == len(shard.names) and shard.path.exists():
                return
            with FileIO(os.open(shard.part, os.O_RDWR | os.O_CREAT, 0o666), "r+") as part:
                _append_rest(shard, part, journal, known)
            os.replace(shard.part, shard.path)
    except OSError as error:
        action = "make room, then run the same command to go on"
        raise DataError(shard.path, "a disk that takes it", error.strerror or "an error", action) from error


def _append_rest(shard: Shard, part: FileIO, journal: FileIO, known: NDArray[np.void]) -> None:
    lengths, end = _believe(shard, part, known)
    journal.truncate(len(lengths) * known.itemsize)
    part.truncate(end)
    part.seek(0)
    put(part, shard.header())
    part.seek(0, os.SEEK_END)
    for name in shard.names[len(lengths) :].tolist():
        pictures = encode(read_sequence(shard.sequences / name.decode(), shard.length, shard.size), shard.form)
        put(part, b"".join(map(avi.picture, pictures)))
        put(journal, _record(pictures))
        lengths.append([len(picture) for picture in pictures])
    data = part.tell() - len(shard.header())
    put(part, avi.index([length for clip in lengths for length in clip]))
    part.seek(0)
    put(part, shard.header(data))
    for file in (part, journal):
        os.fsync(file.fileno())


def _believe(shard: Shard, part: FileIO, known: NDArray[np.void]) -> tuple[list[list[int]], int]:
    """The lengths of the pictures of every clip that is there as its record says, and where the last one ends."""
    lengths: list[list[int]] = []
    end = part.seek(len(shard.header()))
    for record in known:
        there = [part.read(avi.room(length)) for length in record["length"].tolist()]
        pictures = [block[8 : 8 + length] for block, length in zip(there, record["length"].tolist(), strict=True)]
        if _record(pictures) != record.tobytes() or b"".join(map(avi.picture, pictures)) != b"".join(there):
            break
        lengths.append(record["length"].tolist())
        end = part.tell()
    return lengths, end


def _record(pictures: Sequence[bytes]) -> bytes:
    record = np.zeros((), record_type(len(pictures)))
    record["length"] = [len(picture) for picture in pictures]
    record["checksum"] = [crc32(picture) for picture in pictures]
    record["own"] = crc32(record.tobytes()[:-4])
    return record.tobytes()


def put(file: FileIO, content: bytes) -> None:
    """Write all of it: a disk that fills up takes the beginning, and refuses only then.

    Raises:
        OSError: it is refused.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def read_sequence(folder: Path, length: int, size: tuple[int, int] | None) -> Frames:
    """The pictures im1.png to im<length>.png of a sequence, RGB ``(length, H, W, 3)``.

    Args:
        folder: of the sequence.
        length: pictures in it.
        size: (height, width) that they must have; None takes that of the first.

    Raises:
        DataError: one is missing, damaged, or of another size.
    """
    pictures: list[Frames] = []
    for number in range(1, length + 1):
        path = folder / f"im{number}.png"
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise DataError(path, "a picture", "none, or a damaged one", "restore the file")
        size = size or (picture.shape[0], picture.shape[1])
        if picture.shape[:2] != size:
            got = f"{picture.shape[1]}x{picture.shape[0]}"
            raise DataError(path, f"{size[1]}x{size[0]} pixels as in the first sequence", got, "pack such sequences apart")
        pictures.append(np.asarray(picture, dtype=np.uint8))
    return np.stack(pictures)
