"""The default data: photographs and brush-stroke paintings in motion, with exact flow and visibility, and no download."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image

from datamodules.base import ClipDataModule, unmet
from datamodules.batch import Clips
from datamodules.camera import backward_flow, random_motion, render
from datamodules.paintings import PALETTES, paint
from datamodules.random import Draw, rng
from datamodules.scenes import Layer, blob, render_scene, scene_flow
from datamodules.skies import sky
from datamodules.source import ClipSource, Split
from datamodules.style import style_source

# Photographs that come inside scikit-image's own package. Those of "val" are never trained on.
PHOTOGRAPHS: dict[Split, tuple[str, ...]] = {
    "train": (
        "astronaut",
        "coffee",
        "motorcycle_left",
        "hubble_deep_field",
        "brick",
        "grass",
        "gravel",
        "camera",
        "ihc",
        "coins",
    ),
    "val": ("chelsea", "rocket"),
}

# Share of the background that is seen at the start. In training also from close by, where photographs are smooth.
VIEWS: dict[Split, tuple[float, float]] = {"train": (0.2, 1.0), "val": (0.45, 1.0)}
SKY = (256, 256)
LEAST_LIGHT = 0.3  # of a grey picture that is coloured


@lru_cache(maxsize=16)
def photograph(name: str) -> NDArray[np.uint8]:
    """A photograph of scikit-image's package, RGB ``(h, w, 3)`` uint8."""
    folder = Path(skimage.data.__file__).parent
    path = next(folder / f"{name}{suffix}" for suffix in (".png", ".jpg") if (folder / f"{name}{suffix}").exists())
    return np.asarray(Image.open(path).convert("RGB"))


@lru_cache(maxsize=32)
def painting(seed: int, palette: str, number: int) -> NDArray[np.uint8]:
    """A painting, made at its first use and kept."""
    return paint(rng(seed, f"painting {palette}", 0, number), palette)


def coloured(draws: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey picture under light of changing colour; others as they are.

    Half of the photographs are grey. From them a network learns to amplify colours far beyond what others can take.
    """
    if np.ptp(picture, axis=-1).any():
        return picture
    light = LEAST_LIGHT + (1 - LEAST_LIGHT) * sky(draws, (picture.shape[0], picture.shape[1])) / 255
    return np.asarray(np.rint(np.clip(picture * light / light.mean(), 0, 255)), dtype=np.uint8)


def to_clip(frames: NDArray[np.uint8], flow: NDArray[np.float32], visible: NDArray[np.uint8]) -> Clips:
    """``(T, H, W, 3)`` arrays to a clip."""
    return Clips(torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(flow), torch.from_numpy(visible))


class PhotographScenes(ClipSource):
    """A photograph as the background and others, cut to blobs, in front of it, all in smooth motion.

    Args:
        split: which photographs.
        frames, size: of a clip.
        layers: largest number of layers in front of the background.
        noise: largest standard deviation of the sensor noise, as a share of full range.
        speed: of the camera, in sides of the frame per frame.
        length: number of clips, >= 1.
        skies: share of the pictures that are skies instead of photographs.
    """

    def __init__(
        self,
        split: Split,
        frames: int,
        size: tuple[int, int],
        layers: int,
        noise: float,
        speed: float,
        length: int,
        skies: float = 0.0,
    ) -> None:
        self.names, self.view, self.frames, self.size = PHOTOGRAPHS[split], VIEWS[split], frames, size
        self.layers, self.noise, self.speed, self.length, self.skies = layers, noise, speed, length, skies

    def __len__(self) -> int:
        return self.length

    def clip(self, draw: Draw) -> Clips:
        draws = rng(draw.seed, "moving scene", draw.epoch, draw.index)
        layers = [self._layer(draws, self.names[draw.index % len(self.names)], self.view)]
        for _ in range(int(draws.integers(self.layers + 1))):
            layer = self._layer(draws, str(draws.choice(self.names)), (0.6, 1.2))
            layers.append(self._cut(draws, layer))
        frames = render_scene(layers, self.size)
        if self.noise > 0:
            sigma = 255 * draws.uniform(0, self.noise)
            frames = np.rint(np.clip(frames + draws.normal(0, sigma, frames.shape), 0, 255)).astype(np.uint8)
        return to_clip(frames, *scene_flow(layers, self.size))

    def _layer(self, draws: np.random.Generator, name: str, view: tuple[float, float]) -> Layer:
        texture = sky(draws, SKY) if draws.random() < self.skies else coloured(draws, photograph(name))
        return Layer(texture, random_motion(draws, self.frames, self.size, texture.shape[:2], self.speed, view))

    def _cut(self, draws: np.random.Generator, layer: Layer) -> Layer:
        middle = (self.frames - 1) // 2
        where = draws.uniform(0.1, 0.9, 2) * [self.size[1], self.size[0]]
        centre = layer.homographies[middle] @ [*where, 1]
        texels = np.linalg.norm(layer.homographies[middle][:2, 0])
        radius = float(draws.uniform(0.12, 0.3) * min(self.size) * texels)
        return layer._replace(centre=centre[:2] / centre[2], reach=blob(draws, radius))


class PaintingScenes(ClipSource):
    """Brush-stroke paintings under a moving camera."""

    def __init__(
        self, palettes: tuple[str, ...], count: int, frames: int, size: tuple[int, int], speed: float, seed: int
    ) -> None:
        self.palettes, self.count, self.frames, self.size, self.speed, self.seed = palettes, count, frames, size, speed, seed
        self.styles = palettes

    def __len__(self) -> int:
        return self.count

    def style_id(self, index: int) -> int:
        return index % len(self.palettes)

    def clip(self, draw: Draw) -> Clips:
        draws = rng(draw.seed, "painting in motion", draw.epoch, draw.index)
        texture = painting(self.seed, self.palettes[self.style_id(draw.index)], draw.index)
        # Close enough to see single strokes in small frames.
        motion = random_motion(draws, self.frames, self.size, texture.shape[:2], self.speed, view=(0.4, 1.0))
        return to_clip(render(texture, motion, self.size), *backward_flow(motion, self.size))


class MovingScenes(ClipDataModule):
    """Photographs in layered motion as content; paintings in motion as style: painted here, or a folder of yours.

    Args:
        style: folder of pictures or videos in the wanted look; None paints its own.
        palette: colours of the own paintings.
        layers: largest number of cut-out layers in front of the background, >= 0.
        noise: largest standard deviation of the sensor noise on the content, as a share of full range, in [0, 1].
        skies: share of the pictures in training that are smooth skies instead of photographs, in [0, 1].
        speed: of the camera, as the standard deviation in sides of the frame per frame, >= 0.
        clips: number of different content clips in an epoch, >= 1.
        options: of every source, see ``ClipDataModule``.
    """

    def __init__(
        self,
        style: str | None = None,
        palette: Literal["night", "wheat", "dusk", "all"] = "night",
        layers: int = 2,
        noise: float = 0.03,
        skies: float = 0.2,
        speed: float = 0.015,
        clips: int = 1000,
        **options: Any,
    ) -> None:
        self.style, self.layers, self.noise, self.skies, self.speed, self.clips = style, layers, noise, skies, speed, clips
        self.palettes = tuple(PALETTES) if palette == "all" else (palette,)
        super().__init__(**options)

    def problems(self) -> list[str]:
        return unmet(
            ("palette", self.palettes[0], f"one of {', '.join(PALETTES)} or all", self.palettes[0] in PALETTES),
            ("layers", self.layers, ">= 0", self.layers >= 0),
            ("noise", self.noise, "in [0, 1]", 0 <= self.noise <= 1),
            ("skies", self.skies, "in [0, 1]", 0 <= self.skies <= 1),
            ("speed", self.speed, ">= 0", self.speed >= 0),
            ("clips", self.clips, ">= 1", self.clips >= 1),
        )

    def content_clips(self, split: Split) -> ClipSource:
        count, skies = (self.clips, self.skies) if split == "train" else (8, 0.0)
        return PhotographScenes(split, self.frames, self.load_size, self.layers, self.noise, self.speed, count, skies)

    def style_clips(self, split: Split) -> ClipSource:
        if self.style is not None:
            return style_source(self.style, self.frames, self.load_size)
        return PaintingScenes(self.palettes, 4 * len(self.palettes), self.frames, self.load_size, self.speed, self.seed)
