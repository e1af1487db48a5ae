"""Where the clips of one domain come from."""

from abc import ABC, abstractmethod
from typing import Literal

from datamodules.batch import Clips
from datamodules.random import Draw

Split = Literal["train", "val"]


class ClipSource(ABC):
    """One domain: clips by number. Must be picklable and open nothing before its first clip."""

    styles: tuple[str, ...] = ("",)  # names of the styles its clips show, by their ids; content has one without a name

    @abstractmethod
    def __len__(self) -> int:
        """Number of different clips, >= 1."""

    @abstractmethod
    def clip(self, draw: Draw) -> Clips:
        """Clip number ``draw.index``: frames ``(T, 3, H, W)`` uint8, all of one size, with flow where it is known.

        Whatever is random comes from ``rng(draw.seed, <stream>, draw.epoch, draw.index)``.

        Raises:
            DataError: the clip cannot be read; the file is named, and another clip takes its place.
        """

    def style_id(self, index: int) -> int:
        """Which of ``styles`` clip number ``index`` shows."""
        return 0

    def name(self, index: int) -> str:
        """What a person calls clip number ``index``."""
        return f"clip {index}"
