"""What packing a folder of Vimeo-90K will write: decided once, kept in ``plan.json``, the same whenever it goes on."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules import avi
from datamodules.errors import DataError
from datamodules.pack_formats import Format, encode
from datamodules.pack_shard import Shard, read_sequence
from datamodules.packed import PLAN, SHARDS, SPLITS, VERSION, is_packed, shard_path
from datamodules.vimeo90k_lists import Layout, Names, complete, find_layout, present, read_list

CLIPS = 512  # in a shard, fewer if they are large
SAMPLE = 12  # clips packed beforehand to estimate time and bytes


class Plan(NamedTuple):
    """What goes from ``root`` to ``out``, in the order of the lists, training list first.

    ``split`` is the place in ``SPLITS`` of the list that names a sequence; ``missing`` says what is left out, if anything.
    """

    root: Path
    out: Path
    form: Format
    layout: Layout
    names: Names
    split: NDArray[np.uint8]
    size: tuple[int, int]
    missing: str

    @property
    def clips_in_shard(self) -> int:
        """As many as make a file of a gigabyte at most, even if they could not be compressed."""
        raw = self.layout.length * self.size[0] * self.size[1] * 3
        return max(1, min(CLIPS, avi.LARGEST // raw))

    def shards(self) -> Iterator[Shard]:
        """The files, in order."""
        for number, first in enumerate(range(0, len(self.names), self.clips_in_shard)):
            names = self.names[first : first + self.clips_in_shard]
            path, sequences = shard_path(self.out, number), self.root / "sequences"
            yield Shard(path, sequences, names, self.layout.length, self.size, self.form)

    def facts(self) -> dict[str, Any]:
        """What must not change between beginning and end."""
        contents = hashlib.sha256(b"\n".join(self.names.tolist()) + self.split.tobytes())
        return {
            "version": VERSION,
            "root": str(self.root),
            "format": self.form,
            "frames": self.layout.length,
            "size": list(self.size),
            "clips": len(self.names),
            "sequences": contents.hexdigest(),
        }


def make_plan(root: Path, out: Path, form: Format, allow_missing: bool) -> Plan:
    """Look at the lists and folders of ``root``.

    Args:
        root: published layout.
        out: where the packed set goes.
        form: how clips are packed.
        allow_missing: leave out listed sequences that are not on the disk.

    Raises:
        DataError: the layout is not the published one, or sequences are missing.
    """
    layout = find_layout(root)
    parts, splits, told = [], [], []
    for split, which in enumerate(SPLITS):
        path = root / layout.list_of(which)
        names = read_list(path)
        there = complete(root / "sequences", names, layout.length)
        told.append(present(path, names, there, allow_missing))
        parts.append(names[there])
        splits.append(np.full(int(there.sum()), split, dtype=np.uint8))
    names = np.concatenate(parts)
    first = read_sequence(root / "sequences" / names[0].decode(), layout.length, None)
    size = first.shape[1], first.shape[2]
    missing = "; ".join(filter(None, told))
    return Plan(root.resolve(), out.resolve(), form, layout, names, np.concatenate(splits), size, missing)


def settle(plan: Plan) -> None:
    """Write the plan into ``out``, with the lists, or find the same one there.

    Raises:
        DataError: ``out`` holds something else, or cannot be written.
    """
    path, facts = plan.out / PLAN, plan.facts()
    if not is_packed(plan.out):
        others = [entry.name for entry in plan.out.iterdir() if entry.name not in (SHARDS, f"{PLAN}.part")]
        if set(others) - {plan.layout.list_of(which) for which in SPLITS}:
            raise DataError(plan.out, "an empty folder, or a pack to go on with", sorted(others)[0], "give another folder")
        (plan.out / SHARDS).mkdir(exist_ok=True)
        for which in SPLITS:
            shutil.copyfile(plan.root / plan.layout.list_of(which), plan.out / plan.layout.list_of(which))
        replace(path, json.dumps(facts, indent=1).encode())
        return
    known = read_facts(plan.out)
    for name, value in facts.items():
        if known.get(name) != value:
            got, action = f"{name} {known.get(name)}", "give another folder, or delete this one to begin anew"
            raise DataError(plan.out, f"a pack with {name} {value}", got, action)


def read_facts(out: Path) -> dict[str, Any]:
    """What ``plan.json`` says.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        facts = json.loads((out / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            out / PLAN, "the plan of a pack", "none, or a damaged one", "delete the folder and pack again"
        ) from error
    return facts if isinstance(facts, dict) else {}


def replace(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class Estimate(NamedTuple):
    """What packing a clip takes here: seconds of one process, and bytes."""

    seconds: float
    bytes: float


def estimate(plan: Plan) -> Estimate:
    """Pack a few clips from all over the lists without writing them."""
    chosen = np.unique(np.linspace(0, len(plan.names) - 1, SAMPLE).astype(int))
    seconds, size = [], []
    for name in [plan.names[chosen[0]], *plan.names[chosen]]:  # the first one twice: it wakes up the libraries
        started = time.perf_counter()
        frames = read_sequence(plan.root / "sequences" / name.decode(), plan.layout.length, plan.size)
        size.append(sum(avi.room(len(picture)) for picture in encode(frames, plan.form)))
        seconds.append(time.perf_counter() - started)
    return Estimate(float(np.mean(seconds[1:])), float(np.mean(size[1:])))
