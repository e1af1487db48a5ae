"""Vimeo-90K (Xue et al. 2019), in the folder layout it is published in, septuplets or triplets."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch.utilities import rank_zero_warn

from datamodules.base import ClipDataModule, ClipSource, Split
from datamodules.batch import Clips
from datamodules.decode import read_pictures
from datamodules.errors import DataError
from datamodules.random import Draw, rng
from datamodules.resize import channels_first, cover
from datamodules.style import style_source

DOWNLOAD = "give the folder that holds sequences/ and the published lists"


class Layout(NamedTuple):
    """Which of the two published sets a folder holds: prefix of its lists, frames in a sequence."""

    prefix: str
    length: int


LAYOUTS = (Layout("sep", 7), Layout("tri", 3))


def find_layout(root: Path) -> Layout:
    """Tell septuplets from triplets by the lists in the folder.

    Raises:
        DataError: no folder, no lists, or the lists of both sets.
    """
    if not root.is_dir():
        raise DataError(root, "the folder of Vimeo-90K", "no folder", DOWNLOAD)
    found = [layout for layout in LAYOUTS if (root / f"{layout.prefix}_trainlist.txt").is_file()]
    if len(found) != 1:
        got = "the lists of both sets" if found else "neither"
        raise DataError(root, "sep_trainlist.txt (septuplets) or tri_trainlist.txt (triplets)", got, DOWNLOAD)
    return found[0]


def read_list(path: Path) -> list[str]:
    """The sequence names of a published list, such as ``00001/0266``, in their order.

    Raises:
        DataError: no file, nothing in it, or a line that is no sequence name.
    """
    if not path.is_file():
        raise DataError(path, "a list of sequences", "no file", "copy the published list there")
    names = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    strange = [name for name in names if not re.fullmatch(r"\d+/\d+", name)]
    if strange or not names:
        got = repr(strange[0]) if strange else "none"
        raise DataError(path, "lines such as 00001/0266", got, "copy the published list there")
    return names


def is_complete(folder: Path, length: int) -> bool:
    """Whether im1.png to im<length>.png are all there."""
    try:
        present = set(os.listdir(folder))
    except OSError:
        return False
    return all(f"im{number}.png" in present for number in range(1, length + 1))


class Sequences(ClipSource):
    """Sequences of PNG pictures. In training: any start, any crop, forwards or backwards; else the middle, forwards.

    Args:
        root: folder of the sequences.
        names: of the sequences in it.
        length: pictures in a sequence.
        frames, size: of a clip.
        training: whether to choose at random.
    """

    def __init__(self, root: Path, names: list[str], length: int, frames: int, size: tuple[int, int], training: bool) -> None:
        self.root, self.names, self.length = root, names, length
        self.frames, self.size, self.training = frames, size, training

    def __len__(self) -> int:
        return len(self.names)

    def clip(self, draw: Draw) -> Clips:
        spare = self.length - self.frames
        start, place, reverse = spare // 2, None, False
        if self.training:
            draws = rng(draw.seed, "vimeo90k", draw.epoch, draw.index)
            start, place, reverse = int(draws.integers(spare + 1)), (draws.random(), draws.random()), draws.random() < 0.5
        frames = read_pictures(self.root / self.names[draw.index], range(start, start + self.frames), self.length)
        frames = cover(frames, self.size, place)
        # Time is turned here, before anyone computes flow from the frames.
        return Clips(channels_first(frames[::-1] if reverse else frames))


class Vimeo90K(ClipDataModule):
    """Vimeo-90K as content: real scenes of 448x256 pixels, 7 or 3 frames long, without known flow. Validates on the test list.

    Args:
        root: folder that holds ``sequences/`` and the lists ``sep_trainlist.txt``, ``sep_testlist.txt`` or ``tri_...``.
        style: folder of pictures or videos in the wanted look.
        allow_missing: train on what is there when listed sequences are missing from the disk.
        options: of every source, see ``ClipDataModule``.
    """

    def __init__(self, root: str, style: str, allow_missing: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.root, self.style, self.allow_missing = Path(root).expanduser(), style, allow_missing

    def content_clips(self, split: Split) -> ClipSource:
        layout = find_layout(self.root)
        if self.frames > layout.length:
            raise DataError(
                self.root, f"frames <= {layout.length}, the length of its sequences", str(self.frames), "ask for shorter clips"
            )
        listed = self.root / f"{layout.prefix}_{'train' if split == 'train' else 'test'}list.txt"
        names = self._present(listed, layout.length)
        return Sequences(self.root / "sequences", names, layout.length, self.frames, self.load_size, split == "train")

    def style_clips(self, split: Split) -> ClipSource:
        return style_source(self.style, self.frames, self.load_size)

    def _present(self, listed: Path, length: int) -> list[str]:
        names = read_list(listed)
        missing = {name for name in names if not is_complete(self.root / "sequences" / name, length)}
        if not missing:
            return names
        first = ", ".join(sorted(missing)[:3]) + (", ..." if len(missing) > 3 else "")
        got = f"{len(missing)} of {len(names)} missing or incomplete ({first})"
        if not self.allow_missing or len(missing) == len(names):
            action = "complete the download" + ("" if self.allow_missing else ", or set allow_missing")
            raise DataError(listed, f"im1.png to im{length}.png of every sequence", got, action)
        rank_zero_warn(f"{listed}: {got}; training goes on without them")
        return [name for name in names if name not in missing]
