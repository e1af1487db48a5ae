"""The style domain: pictures, put in motion by a camera so that a temporal critic has real video to look at; or videos.

A folder of pictures or videos is one style. A folder of such folders is several, numbered from 0 in the order of their names.

Style has no validation split: validation uses the same pictures and videos with fixed motion, because what is judged there
is how unseen content is painted, not whether the paintings are recognised.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.batch import Clips
from datamodules.camera import backward_flow, random_motion, render
from datamodules.errors import DataError
from datamodules.folder import PICTURES, VIDEOS, list_files
from datamodules.image_files import read_image, refuse_damaged
from datamodules.random import Draw, rng
from datamodules.resize import channels_first
from datamodules.source import ClipSource
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
        picture = texture(self.paths[draw.index], self.size)
        motion = random_motion(draws, self.frames, self.size, picture.shape[:2])
        flow, visible = backward_flow(motion, self.size)
        frames = render(picture, motion, self.size)
        return Clips(channels_first(frames), torch.from_numpy(flow), torch.from_numpy(visible))


@lru_cache(maxsize=64)
def texture(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture RGB ``(h, w, 3)``, kept for its next use, without detail finer than frames of a size ever show.

    Raises:
        DataError: it cannot be read.
    """
    picture = read_image(path, least=DETAIL * max(size))
    excess = min(picture.shape[0] / size[0], picture.shape[1] / size[1]) / DETAIL
    if excess <= 1:
        return picture
    shape = round(picture.shape[1] / excess), round(picture.shape[0] / excess)
    return np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Styles(ClipSource):
    """Several styles, each shown equally often, however many clips it has.

    Args:
        sources: of each style, by its name; ids count them in this order.
    """

    def __init__(self, sources: Mapping[str, ClipSource]) -> None:
        self.styles, self.sources = tuple(sources), list(sources.values())
        self.most = max(len(source) for source in self.sources)

    def __len__(self) -> int:
        return len(self.sources) * self.most

    def style_id(self, index: int) -> int:
        return index % len(self.sources)

    def clip(self, draw: Draw) -> Clips:
        style = self.style_id(draw.index)
        source = self.sources[style]
        lap, index = divmod(draw.index // len(self.sources), len(source))
        laps = -(-self.most // len(source))
        # The epoch given on differs with the pass, the lap within it and the style, so that no two clips are drawn alike.
        return source.clip(Draw(draw.seed, (draw.epoch * laps + lap) * len(self.sources) + style, index))


def style_source(path: str | Path, frames: int, size: tuple[int, int]) -> Styles:
    """The styles in a folder: those of the folders in it, or itself.

    Args:
        path: of the folder.
        frames: in a clip.
        size: (height, width) of the frames.

    Raises:
        DataError: no such folder, nothing usable in it, or things mixed that do not go together.
    """
    root = Path(path).expanduser()
    files = list_files(root, PICTURES | VIDEOS)
    names = sorted({file.relative_to(root).parts[0] for file in files if file.parent != root})
    loose = sum(file.parent == root for file in files)
    if names and loose:
        got = f"{loose} files beside {len(names)} folders"
        raise DataError(root, "either pictures and videos, or a folder of them for each style", got, "give each style a folder")
    return Styles({folder.name: _one_style(folder, frames, size) for folder in ([root / name for name in names] or [root])})


def _one_style(folder: Path, frames: int, size: tuple[int, int]) -> ClipSource:
    pictures, videos = list_files(folder, PICTURES), list_files(folder, VIDEOS)
    if pictures and videos:
        got = f"{len(pictures)} pictures and {len(videos)} videos"
        raise DataError(folder, "either pictures or videos", got, "move one kind to another folder")
    if not pictures and not videos:
        raise DataError(folder, "pictures or videos that show the style", "neither", "give a folder of paintings or of videos")
    return StyleImages(folder, frames, size) if pictures else StyleVideos(folder, frames, size)
