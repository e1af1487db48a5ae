"""Pictures that a camera moves over, for judging: exact flow, and one motion for content and style."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.batch import Clips
from datamodules.camera import backward_flow, random_motion, render
from datamodules.errors import DataError
from datamodules.folder import PICTURES, list_files
from datamodules.image_files import refuse_damaged
from datamodules.random import Draw, rng
from datamodules.resize import channels_first
from datamodules.source import ClipSource
from datamodules.style import texture

Pictures = Sequence[tuple[str, Callable[[], NDArray[np.uint8]]]]  # name and maker of each, RGB (h, w, 3)


class PicturesInMotion(ClipSource):
    """Clip n shows one of the pictures under camera motion n, which does not depend on the picture.

    Two sources of the same seed, size and length thus show different pictures under the same motion.

    Args:
        pictures: name and maker of each.
        frames, size: of a clip.
        length: number of clips, >= 1; beyond the number of pictures they come again under other motion.
        speed: of the camera, in sides of the frame per frame.
        view: smallest and largest share of a picture that is seen at the start.
    """

    def __init__(
        self,
        pictures: Pictures,
        frames: int,
        size: tuple[int, int],
        length: int,
        speed: float = 0.015,
        view: tuple[float, float] = (0.5, 1.0),
    ) -> None:
        self.pictures, self.frames, self.size, self.length = list(pictures), frames, size, length
        self.speed, self.view = speed, view

    def __len__(self) -> int:
        return self.length

    def name(self, index: int) -> str:
        lap, number = divmod(index, len(self.pictures))
        return self.pictures[number][0] + (f" ({lap + 1})" if lap else "")

    def clip(self, draw: Draw) -> Clips:
        _, make = self.pictures[draw.index % len(self.pictures)]
        picture = make()
        draws = rng(draw.seed, "picture in motion", draw.epoch, draw.index)
        motion = random_motion(draws, self.frames, self.size, picture.shape[:2], self.speed, self.view)
        flow, visible = backward_flow(motion, self.size)
        return Clips(channels_first(render(picture, motion, self.size)), torch.from_numpy(flow), torch.from_numpy(visible))


def pictures_of(folder: Path, size: tuple[int, int]) -> Pictures:
    """The pictures in a folder and the folders below it, to be read when they are needed.

    Args:
        folder: of the pictures.
        size: (height, width) of the frames they will be shown in; finer detail is left out.

    Raises:
        DataError: no such folder, no pictures, or damaged ones, which are all named.
    """
    paths = list_files(folder, PICTURES)
    if not paths:
        raise DataError(folder, "pictures", "none", "give a folder of pictures")
    refuse_damaged(paths, folder)
    return [(path.name, partial(texture, path, size)) for path in paths]
