"""The style domain: pictures, put in motion by a camera so that a temporal critic has real video to look at; or videos.

Style has no validation split: validation uses the same pictures and videos with fixed motion, because what is judged there
is how unseen content is painted, not whether the paintings are recognised.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.base import ClipSource
from datamodules.batch import Clips
from datamodules.camera import backward_flow, random_motion, render
from datamodules.errors import DataError
from datamodules.folder import PICTURES, VIDEOS, list_files
from datamodules.image_files import read_image, refuse_damaged
from datamodules.random import Draw, rng
from datamodules.resize import channels_first
from datamodules.video_clips import StyleVideos

# The camera sees at least half of a picture, so finer detail than this many frame pixels per side is never shown.
DETAIL = 2


class StyleImages(ClipSource):
    """A folder of pictures under a moving camera, with exact flow. One clip for each picture, its motion drawn anew each time.

    Args:
        folder: of the pictures; folders below it count as well.
        frames, size: of a clip.

    Raises:
        DataError: no such folder, no pictures, or damaged ones, which are all named.
    """

    def __init__(self, folder: Path, frames: int, size: tuple[int, int]) -> None:
        self.paths = list_files(folder, PICTURES)
        if not self.paths:
            raise DataError(folder, "pictures", "none", "give a folder of paintings")
        refuse_damaged(self.paths, folder)
        self.frames, self.size = frames, size

    def __len__(self) -> int:
        return len(self.paths)

    def clip(self, draw: Draw) -> Clips:
        draws = rng(draw.seed, "style picture", draw.epoch, draw.index)
        texture = _texture(self.paths[draw.index], self.size)
        motion = random_motion(draws, self.frames, self.size, texture.shape[:2])
        flow, visible = backward_flow(motion, self.size)
        frames = render(texture, motion, self.size)
        return Clips(channels_first(frames), torch.from_numpy(flow), torch.from_numpy(visible))


@lru_cache(maxsize=64)
def _texture(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = read_image(path, least=DETAIL * max(size))
    excess = min(picture.shape[0] / size[0], picture.shape[1] / size[1]) / DETAIL
    if excess <= 1:
        return picture
    shape = round(picture.shape[1] / excess), round(picture.shape[0] / excess)
    return np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def style_source(path: str | Path, frames: int, size: tuple[int, int]) -> ClipSource:
    """Clips of the pictures or of the videos in a folder, whichever it holds.

    Args:
        path: of the folder.
        frames: in a clip.
        size: (height, width) of the frames.

    Raises:
        DataError: no such folder, neither pictures nor videos, both, or unusable ones.
    """
    folder = Path(path).expanduser()
    pictures, videos = list_files(folder, PICTURES), list_files(folder, VIDEOS)
    if pictures and videos:
        got = f"{len(pictures)} pictures and {len(videos)} videos"
        raise DataError(folder, "either pictures or videos", got, "move one kind to another folder")
    if not pictures and not videos:
        raise DataError(folder, "pictures or videos that show the style", "neither", "give a folder of paintings or of videos")
    return StyleImages(folder, frames, size) if pictures else StyleVideos(folder, frames, size)
