"""A packed Vimeo-90K: few large files of pictures, and one index that says where each clip lies in them.

index.npz               columns, one row for a clip: see ``Index``
shards/00000.avi ...    pictures one after the other, in the order of the index; videos that any player opens
sep_trainlist.txt ...   the published lists
plan.json               what was packed how, for continuing and checking
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast, get_args
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import DataError
from datamodules.pack_formats import Format, Frames, decode
from datamodules.vimeo90k_lists import Names

INDEX, PLAN, SHARDS = "index.npz", "plan.json", "shards"
VERSION = 1  # of the layout
SPLITS = ("train", "test")  # of the published lists; a clip's split is a place in this tuple


class Index(NamedTuple):
    """The columns of ``index.npz``. N clips of T pictures.

    Shape:
        - name: ``(N,)`` such as ``00001/0266``
        - split: ``(N,)`` place in ``SPLITS``
        - shard: ``(N,)`` number of the file
        - offset, length: ``(N, T)`` bytes, of each picture in the file
        - checksum: ``(N, T)`` CRC-32 of these bytes
        - size: ``(2,)`` height and width of every picture
        - form: one of ``Format``
        - version: of this layout
    """

    name: Names
    split: NDArray[np.uint8]
    shard: NDArray[np.uint32]
    offset: NDArray[np.uint32]
    length: NDArray[np.uint32]
    checksum: NDArray[np.uint32]
    size: NDArray[np.uint32]
    form: NDArray[np.str_]
    version: NDArray[np.uint32]


def is_packed(root: Path) -> bool:
    """Whether a folder holds a packed set, finished or not."""
    return (root / PLAN).is_file() or (root / INDEX).is_file()


def shard_path(root: Path, shard: int) -> Path:
    """Where a shard lies in a packed set."""
    return root / SHARDS / f"{shard:05d}.avi"


def read_index(root: Path) -> Index:
    """The index of a packed set.

    Raises:
        DataError: none there, a damaged one, or one of another version of this project.
    """
    path = root / INDEX
    if not path.is_file():
        raise DataError(path, "the index of a finished pack", "none", "run the same python -m datamodules.pack again")
    try:
        with np.load(path, allow_pickle=False) as columns:
            index = Index(**columns)
    except Exception as failure:  # the ways in which readers of damaged archives fail are many
        raise DataError(path, "the columns of an index", "something else", "restore the file, or pack again") from failure
    if int(index.version) != VERSION or str(index.form) not in get_args(Format):
        got = f"version {int(index.version)}, {index.form}"
        raise DataError(path, f"version {VERSION}, {' or '.join(get_args(Format))}", got, "pack again with this version")
    return index


class Pack:
    """Clips of a packed set by their number. Keeps nothing open, so it goes to other processes as it is.

    Args:
        root: folder of the set.

    Raises:
        DataError: see ``read_index``.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.index = root, read_index(root)
        self.form = cast(Format, str(self.index.form))
        self.size = int(self.index.size[0]), int(self.index.size[1])

    def __len__(self) -> int:
        return len(self.index.name)

    def find(self, names: Names) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Numbers of the clips of these names, in their order, as far as they are there; and for each name, whether it is."""
        order = np.argsort(self.index.name)
        place = order[np.searchsorted(self.index.name, names, sorter=order).clip(max=len(order) - 1)]
        there = self.index.name[place] == names
        return place[there], there

    def read(self, clip: int, indices: Sequence[int]) -> Frames:
        """Pictures of a clip; no other is decoded.

        Args:
            clip: number, see ``Index``.
            indices: of the pictures, rising, from 0.

        Returns:
            RGB ``(T, H, W, 3)``.

        Raises:
            DataError: the file is missing, or damaged where these pictures lie.
        """
        encoded = self.encoded(clip, indices)
        try:
            return decode(encoded, self.form, self.size)
        except ValueError as failure:
            raise self._damage(clip, f"pictures of {self.size[1]}x{self.size[0]}", str(failure)) from failure

    def encoded(self, clip: int, indices: Sequence[int]) -> list[memoryview]:
        """The bytes of pictures of a clip, which are what was packed.

        Raises:
            DataError: as for ``read``.
        """
        offsets, lengths = self.index.offset[clip].tolist(), self.index.length[clip].tolist()
        first, end = offsets[indices[0]], offsets[indices[-1]] + lengths[indices[-1]]
        try:
            with shard_path(self.root, int(self.index.shard[clip])).open("rb", buffering=0) as shard:
                shard.seek(first)
                content = memoryview(shard.read(end - first))
        except OSError as failure:
            raise self._damage(clip, "a file", failure.strerror or "none") from failure
        if len(content) != end - first:
            raise self._damage(clip, f"{end} bytes", f"{first + len(content)}")
        pictures = [content[offsets[i] - first : offsets[i] - first + lengths[i]] for i in indices]
        for number, encoded in zip(indices, pictures, strict=True):
            if crc32(encoded) != self.index.checksum[clip, number]:
                raise self._damage(clip, f"picture {number + 1} as it was packed", "other bytes")
        return pictures

    def _damage(self, clip: int, expected: str, got: str) -> DataError:
        name = self.index.name[clip].decode()
        path = shard_path(self.root, int(self.index.shard[clip]))
        return DataError(path, f"{expected} for {name}", got, "restore the file or pack again; --verify names all damage")
