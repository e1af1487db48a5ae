"""What Vimeo-90K consists of: the published lists, the sequences of pictures on the disk, and the part held out."""

import hashlib
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.errors import DataError

DOWNLOAD = "give the folder that holds sequences/ and the published lists"
HELD_OUT = 0.02  # share of the training list that validates
FEW_FOLDERS = 10  # below which holding out a whole one would take too much
LOOKERS = 16  # threads that look at folders: a disk on a network answers several at once

Names = NDArray[np.bytes_]  # a column, not a list: a hundred thousand strings would be copied into every loader process


class Layout(NamedTuple):
    """Which of the two published sets a folder holds: prefix of its lists, frames in a sequence."""

    prefix: str
    length: int

    def list_of(self, which: str) -> str:
        """File name of the ``train`` or ``test`` list."""
        return f"{self.prefix}_{which}list.txt"


LAYOUTS = (Layout("sep", 7), Layout("tri", 3))


def find_layout(root: Path) -> Layout:
    """Tell septuplets from triplets by the lists in the folder.

    Raises:
        DataError: no folder, no lists, or the lists of both sets.
    """
    if not root.is_dir():
        raise DataError(root, "the folder of Vimeo-90K", "no folder", DOWNLOAD)
    found = [layout for layout in LAYOUTS if (root / layout.list_of("train")).is_file()]
    if len(found) != 1:
        got = "the lists of both sets" if found else "neither"
        raise DataError(root, "sep_trainlist.txt (septuplets) or tri_trainlist.txt (triplets)", got, DOWNLOAD)
    return found[0]


def read_list(path: Path) -> Names:
    """The sequence names of a published list, such as ``00001/0266``, in their order.

    Raises:
        DataError: no file, nothing in it, or a line that is no sequence name.
    """
    if not path.is_file():
        raise DataError(path, "a list of sequences", "no file", "copy the published list there")
    names = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    strange = [name for name in names if not re.fullmatch(r"[0-9]+/[0-9]+", name)]
    if strange or not names:
        got = repr(strange[0]) if strange else "none"
        raise DataError(path, "lines such as 00001/0266", got, "copy the published list there")
    return np.array(names, dtype=np.bytes_)


def complete(sequences: Path, names: Names, length: int) -> NDArray[np.bool_]:
    """For each sequence, whether im1.png to im<length>.png are all there. Looks once into each folder, at no file.

    Args:
        sequences: folder of the sequences.
        names: of the sequences in it.
        length: pictures in a sequence.
    """
    wanted = {f"im{number}.png" for number in range(1, length + 1)}

    def look(some: Names) -> list[bool]:
        return [wanted.issubset(_files(sequences / name.decode())) for name in some.tolist()]

    with ThreadPoolExecutor(LOOKERS) as threads:
        return np.array([there for part in threads.map(look, np.array_split(names, LOOKERS)) for there in part], dtype=bool)


def _files(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def held_out(names: Names) -> NDArray[np.bool_]:
    """Which sequences of the training list validate: a fiftieth, at least one, whatever their order.

    Whole folders are held out, as neighbouring sequences show the same scene; from few folders, single sequences.

    Args:
        names: as in ``read_list``; two or more.
    """
    folders = [name.partition(b"/")[0] for name in names.tolist()]
    units = folders if len(set(folders)) >= FEW_FOLDERS else names.tolist()
    sizes, held, count = Counter(units), set(), 0
    for unit in sorted(sizes, key=lambda unit: hashlib.sha256(unit).digest()):
        if count >= HELD_OUT * len(names):
            break
        held.add(unit)
        count += sizes[unit]
    return np.fromiter((unit in held for unit in units), dtype=bool, count=len(names))


def present(path: Path, names: Names, there: NDArray[np.bool_], allow_missing: bool) -> str:
    """What to tell of sequences that are listed and not there; "" when all are.

    Args:
        path: of the list.
        names: that are listed.
        there: for each, whether it can be used.
        allow_missing: whether to go on without some.

    Raises:
        DataError: some are missing and may not be, or all are.
    """
    if there.all():
        return ""
    missing = sorted(name.decode() for name in names[~there].tolist())
    first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    got = f"{len(missing)} of {len(names)} missing or incomplete ({first})"
    if not allow_missing or not there.any():
        action = "complete the download" + ("" if allow_missing else ", or set allow_missing")
        raise DataError(path, "every listed sequence with all its pictures", got, action)
    return f"{path}: {got}; going on without them"
