"""Vimeo-90K (Xue et al. 2019), septuplets or triplets, as it is published or packed by ``datamodules.pack``."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from lightning.pytorch.utilities import rank_zero_warn
from numpy.typing import NDArray

from datamodules.base import ClipDataModule
from datamodules.batch import Clips
from datamodules.decode import read_pictures
from datamodules.errors import DataError
from datamodules.packed import Pack, is_packed
from datamodules.random import Draw, rng
from datamodules.resize import channels_first, cover
from datamodules.source import ClipSource, Split
from datamodules.style import style_source
from datamodules.vimeo90k_lists import Layout, Names, complete, find_layout, held_out, present, read_list


class Reader(Protocol):
    """Reads pictures of a clip by its number: ``Pack``, or ``Pictures``."""

    def read(self, clip: int, indices: Sequence[int]) -> NDArray[np.uint8]:
        """RGB ``(T, H, W, 3)`` of rising indices."""


class Pictures:
    """Sequences of PNG files.

    Args:
        sequences: folder of them.
        names: of the sequences in it.
        length: pictures in a sequence.
    """

    def __init__(self, sequences: Path, names: Names, length: int) -> None:
        self.sequences, self.names, self.length = sequences, names, length

    def read(self, clip: int, indices: Sequence[int]) -> NDArray[np.uint8]:
        return read_pictures(self.sequences / self.names[clip].decode(), indices, self.length)


class Sequences(ClipSource):
    """Clips of sequences. In training: any start, any crop, forwards or backwards; else the middle, forwards.

    Args:
        reader: of the pictures.
        numbers: of the sequences, as the reader counts.
        length: pictures in a sequence.
        frames, size: of a clip.
        training: whether to choose at random.
        names: of the sequences, if anybody is to be told.
    """

    def __init__(
        self,
        reader: Reader,
        numbers: NDArray[np.intp],
        length: int,
        frames: int,
        size: tuple[int, int],
        training: bool,
        names: Names | None = None,
    ) -> None:
        self.reader, self.numbers, self.length, self.names = reader, numbers, length, names
        self.frames, self.size, self.training = frames, size, training

    def __len__(self) -> int:
        return len(self.numbers)

    def name(self, index: int) -> str:
        return super().name(index) if self.names is None else self.names[index].decode()

    def clip(self, draw: Draw) -> Clips:
        spare = self.length - self.frames
        start, place, reverse = spare // 2, None, False
        if self.training:
            draws = rng(draw.seed, "vimeo90k", draw.epoch, draw.index)
            start, place, reverse = int(draws.integers(spare + 1)), (draws.random(), draws.random()), draws.random() < 0.5
        frames = self.reader.read(int(self.numbers[draw.index]), range(start, start + self.frames))
        frames = cover(frames, self.size, place)
        # Time is turned here, before anyone computes flow from the frames.
        return Clips(channels_first(frames[::-1] if reverse else frames))


class Listed(NamedTuple):
    """What a published list leads to: what reads it, and the numbers and names of the sequences that are there."""

    reader: Reader
    numbers: NDArray[np.intp]
    names: Names


class Vimeo90K(ClipDataModule):
    """Vimeo-90K as content: real scenes of 448x256 pixels, 7 or 3 frames long, without known flow.

    Trains on the published training list but for a fiftieth, which validates (see ``held_out``). The published test list is
    touched by neither.

    Args:
        root: folder that holds ``sequences/`` and the lists ``sep_trainlist.txt``, ``sep_testlist.txt`` or ``tri_...``, or
            what ``python -m datamodules.pack`` made of it.
        style: folder of pictures or videos in the wanted look.
        allow_missing: train on what is there when listed sequences are missing from the disk.
        options: of every source, see ``ClipDataModule``.
    """

    def __init__(self, root: str, style: str, allow_missing: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.root, self.style, self.allow_missing = Path(root).expanduser(), style, allow_missing

    def content_clips(self, split: Split) -> ClipSource:
        reader, numbers, names = self._training
        if len(names) < 2:
            raise DataError(self.root, "two sequences to train on and validate with", "one", "give more sequences")
        held = held_out(names)
        return self._sequences(reader, numbers[held if split == "val" else ~held], self.load_size, split == "train")

    def style_clips(self, split: Split) -> ClipSource:
        return style_source(self.style, self.frames, self.load_size)

    def judged_clips(self, split: Literal["test", "all"], size: tuple[int, int]) -> Sequences:
        """Clips to judge on: of the published test list, or of both lists for a network that has seen neither.

        Args:
            split: which lists.
            size: (height, width) of the frames.

        Raises:
            DataError: clips too long, or sequences missing that may not be.
        """
        reader, numbers, names = self._listed(split)
        return self._sequences(reader, numbers, size, False, names)

    def _sequences(
        self, reader: Reader, numbers: NDArray[np.intp], size: tuple[int, int], training: bool, names: Names | None = None
    ) -> Sequences:
        if self.frames > self._layout.length:
            expected = f"frames <= {self._layout.length}, the length of its sequences"
            raise DataError(self.root, expected, str(self.frames), "ask for shorter clips")
        return Sequences(reader, numbers, self._layout.length, self.frames, size, training, names)

    @property
    def length(self) -> int:
        """Frames in a sequence."""
        return self._layout.length

    @property
    def _layout(self) -> Layout:
        return find_layout(self.root)

    @cached_property
    def _training(self) -> Listed:
        return self._listed("train")  # looked at once, used for training and validation

    def _listed(self, which: Literal["train", "test", "all"]) -> Listed:
        layout = self._layout
        paths = [self.root / layout.list_of(one) for one in (("train", "test") if which == "all" else (which,))]
        path, listed = paths[0], np.concatenate([read_list(path) for path in paths])
        if is_packed(self.root):
            pack = Pack(self.root)
            numbers, there = pack.find(listed)
            reader: Reader = pack
        else:
            there = complete(self.root / "sequences", listed, layout.length)
            numbers = np.arange(int(there.sum()))
            reader = Pictures(self.root / "sequences", listed[there], layout.length)
        if told := present(path, listed, there, self.allow_missing):
            rank_zero_warn(told)
        return Listed(reader, numbers, listed[there])
