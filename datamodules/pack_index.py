"""Joins the records of all finished shards to the one index of a packed Vimeo-90K."""

import io
import os
from pathlib import Path

import numpy as np

from datamodules import avi
from datamodules.errors import DataError
from datamodules.pack_plan import Plan, replace
from datamodules.pack_shard import records
from datamodules.packed import INDEX, SHARDS, VERSION, Index


def make_index(plan: Plan) -> Index:
    """The columns, from the journals.

    Raises:
        DataError: a journal is not complete.
    """
    found, offsets, numbers = [], [], []
    for number, shard in enumerate(plan.shards()):
        rows = records(shard)
        if len(rows) != len(shard.names):
            raise DataError(shard.journal, f"{len(shard.names)} records", str(len(rows)), "run the same command again")
        rooms = np.array([avi.room(length) for length in rows["length"].ravel().tolist()])
        begins = len(shard.header()) + np.cumsum(rooms) - rooms
        found.append(rows)
        offsets.append((begins + avi.LEAD).astype(np.uint32).reshape(rows["length"].shape))
        numbers.append(np.full(len(rows), number, dtype=np.uint32))
    rows = np.concatenate(found)
    return Index(
        name=plan.names,
        split=plan.split,
        shard=np.concatenate(numbers),
        offset=np.concatenate(offsets),
        length=rows["length"],
        checksum=rows["checksum"],
        size=np.array(plan.size, dtype=np.uint32),
        form=np.array(plan.form),
        version=np.array(VERSION, dtype=np.uint32),
    )


def finish(plan: Plan) -> None:
    """Write the index: from then on the pack is finished.

    Raises:
        DataError: see ``make_index``.
    """
    content = io.BytesIO()
    np.savez(content, **make_index(plan)._asdict())
    _keep_names(plan.out / SHARDS)
    replace(plan.out / INDEX, content.getvalue())
    _keep_names(plan.out)


def _keep_names(folder: Path) -> None:
    """See to it that files renamed so far stay so through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def tidy(plan: Plan) -> None:
    """Remove the records of a finished pack, which served only for continuing."""
    for shard in plan.shards():
        shard.journal.unlink(missing_ok=True)
