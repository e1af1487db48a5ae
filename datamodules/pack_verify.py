"""Checks everything in a packed Vimeo-90K: every byte of every shard, every picture, and the originals where they are."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from datamodules import avi
from datamodules.errors import DataError
from datamodules.pack_formats import CODECS
from datamodules.pack_shard import read_sequence
from datamodules.packed import SPLITS, Pack, shard_path
from datamodules.vimeo90k_lists import find_layout, read_list


def wrong_lists(out: Path) -> Iterator[str]:
    """What is wrong with the lists of a packed set, one line each."""
    index = _pack(out).index
    for split, which in enumerate(SPLITS):
        try:
            path = out / find_layout(out).list_of(which)
            listed = read_list(path)
        except DataError as error:
            yield str(error)
            continue
        packed = index.name[index.split == split]
        for name in packed[~np.isin(packed, listed)].tolist():
            yield str(DataError(path, name.decode(), "no such line", "restore the list"))


def wrong_clips(out: Path, shard: int, sequences: Path | None) -> list[str]:
    """What is wrong with the clips of a shard and with its frame, one line each.

    Args:
        out: folder of the packed set.
        shard: number of the file.
        sequences: where the pictures are that it was packed from; None, or the small form, compares with nothing.
    """
    pack = _pack(out)
    clips = np.flatnonzero(pack.index.shard == shard).tolist()
    wrong = []
    for clip in clips:
        try:
            _check_clip(pack, clip, sequences)
        except DataError as damage:
            wrong.append(str(damage))
    if not wrong and (error := _wrong_frame(pack, shard, clips)):
        wrong.append(str(error))
    return wrong


@cache
def _pack(out: Path) -> Pack:
    return Pack(out)


def _check_clip(pack: Pack, clip: int, sequences: Path | None) -> None:
    length = pack.index.length.shape[1]
    frames = pack.read(clip, range(length))
    if sequences is None or pack.form != "lossless":
        return
    folder = sequences / pack.index.name[clip].decode()
    if not np.array_equal(frames, read_sequence(folder, length, pack.size)):
        where = shard_path(pack.root, int(pack.index.shard[clip]))
        raise DataError(folder, f"the pictures packed in {where}", "others", "pack again, or restore the pictures")


def _wrong_frame(pack: Pack, shard: int, clips: list[int]) -> DataError | None:
    """What lies around the pictures, which only other programs read."""
    path = shard_path(pack.root, shard)
    lengths = pack.index.length[clips].ravel().tolist()
    header = avi.header(*CODECS[pack.form], pack.size, len(lengths), sum(map(avi.room, lengths)))
    with path.open("rb") as file:
        right = file.read(len(header)) == header
        for length in lengths:
            right &= file.read(avi.LEAD) == avi.lead(length)
            file.seek(length, os.SEEK_CUR)
            right &= file.read(length % 2) == avi.padding(length)
        right &= file.read() == avi.index(lengths)
    if right:
        return None
    return DataError(path, "the frame of an AVI file around its pictures", "other bytes", "restore the file, or pack again")
