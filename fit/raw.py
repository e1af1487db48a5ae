"""Raw frames to standard output: rgb24, one after the other, nothing else."""

import os
from collections.abc import Sequence
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np

from datamodules.frames import VideoReader
from fit.timeline import Event, Frame, with_bars


class RawWriter:
    """Writes frames as they come; the interface is that of ``VideoWriter``.

    Args:
        readers: the inputs: the first gives the size.
        descriptor: of the file to write to.

    Raises:
        BrokenPipeError: on writing, when nobody reads any more.
        OSError: on writing, naming standard output, when it is a file on a full disk or the like.
    """

    path, pixel_format = "standard output", "rgb24"

    def __init__(self, readers: Sequence[VideoReader], descriptor: int = 1) -> None:
        self.target, self.descriptor = readers[0].info, descriptor
        self.frames, self.seconds = 0, Fraction(0)
        self.sound: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is held back."""

    def write(self, event: Event) -> None:
        """Write a frame; sound has no place."""
        if not isinstance(event, Frame):
            return
        left = np.ascontiguousarray(with_bars(event.pixels, (self.target.height, self.target.width))).data.cast("B")
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except BrokenPipeError:
            raise
        except OSError as error:  # does not say whose
            raise OSError(error.errno, error.strerror, self.path) from error
        self.frames, self.seconds = self.frames + 1, event.time + event.duration
