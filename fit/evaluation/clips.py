"""The clips an evaluation is made on: content with its flow, and style under the same camera."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from datamodules.batch import Clips
from datamodules.folder import PICTURES, VIDEOS, list_files
from datamodules.in_motion import Pictures, PicturesInMotion, pictures_of
from datamodules.moving_scenes import PHOTOGRAPHS, painting, photograph
from datamodules.random import Draw, rng
from datamodules.shots import shots
from datamodules.source import ClipSource
from datamodules.style import style_source
from datamodules.video_clips import VideoClips
from datamodules.video_index import usable_videos
from datamodules.vimeo90k import Sequences, Vimeo90K
from lightning_modules.flow import FlowEstimator
from lightning_modules.ops.flow import gap_flow

NOISE = 2 / 255  # sensor noise on pictures in motion, as a share of full range: without it flicker is only resampling
PAINTINGS = 4  # of each palette, as in training
MOST_STYLES = 64  # pictures that stand for a style, if it has so many
SCENES, VIDEO = (128, 128), (256, 448)  # frame sizes, if none is asked for: of the default training, of Vimeo-90K
FRAMES, LONG_GAP = 7, 5


class Judged(NamedTuple):
    """One clip to judge on.

    Attributes:
        number, name: of the clip.
        content: ``(1, T, 3, H, W)`` in [-1, 1].
        motion: its flow and visibility, as ``Clips`` has them, known or estimated.
        far: the same over several frames, see ``JudgedClips.gap``.
        style: a clip of the style, with its flow if that is known.
    """

    number: int
    name: str
    content: Tensor
    motion: tuple[Tensor, Tensor]
    far: tuple[Tensor, Tensor]
    style: Clips


Content = PicturesInMotion | Sequences | VideoClips


@dataclass(frozen=True)
class Look:
    """What the style is: a folder of pictures or videos, or paintings made here (their palettes and seed)."""

    folder: Path | None = None
    palettes: tuple[str, ...] = ("night",)
    seed: int = 0

    def __str__(self) -> str:
        return str(self.folder) if self.folder else f"own paintings ({', '.join(self.palettes)}; seed {self.seed})"


class JudgedClips:
    """Clips one after the other, the same ones every time.

    Args:
        content, style: where they come from.
        clips: how many, spread evenly over the source; 0 takes all.
        flow: estimates the flow of clips that bring none.
        label: of the content.
        seed: of motion and noise.
    """

    def __init__(self, content: Content, style: ClipSource, clips: int, flow: FlowEstimator, label: str, seed: int = 0) -> None:
        count = min(clips or len(content), len(content))
        self.numbers = [place * len(content) // count for place in range(count)]
        self.content, self.style, self.flow, self.label, self.seed = content, style, flow, label, seed

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def gap(self) -> int:
        """Frames between those of ``Judged.far``: 5, or what the clips have."""
        return min(LONG_GAP, self.content.frames - 1)

    @property
    def names(self) -> list[str]:
        """Of the clips."""
        return [self.content.name(number) for number in self.numbers]

    @property
    def exact_flow(self) -> bool:
        """Whether the motion of the content is known."""
        return isinstance(self.content, PicturesInMotion)

    @property
    def exact(self) -> bool:
        """Whether that of the style is known, too, and the same, as added flicker asks."""
        return self.exact_flow and isinstance(self.style, PicturesInMotion)

    def __iter__(self) -> Iterator[Judged]:
        for place, number in enumerate(self.numbers):
            content = self._clip(self.content, "content", number)
            if content.flow is not None and content.visible is not None:
                motion = content.flow, content.visible
                far = gap_flow(*motion, self.gap)
            else:
                motion, far = (self.flow.estimate(content.frames, gap) for gap in (1, self.gap))
            # The number of the clip names the camera's motion: the same for both.
            style = self._clip(self.style, "style", number % len(self.style))
            yield Judged(place, self.content.name(number), content.frames, motion, far, style)

    def styles(self) -> Iterator[Tensor]:
        """Pictures of the style ``(1, 3, H, W)``, which do not depend on the content."""
        for number in range(min(len(self.style), MOST_STYLES)):
            yield self._clip(self.style, "style", number).frames[:, 0]

    def _clip(self, source: ClipSource, domain: str, number: int) -> Clips:
        """A batch of one, in [-1, 1]; with sensor noise if the motion is made up, real clips have their own."""
        clip = source.clip(Draw(self.seed, 0, number))
        frames = clip.frames[None].float() / 127.5 - 1
        if clip.flow is None or clip.visible is None:
            return Clips(frames)
        draws = rng(self.seed, f"sensor noise on {domain}", 0, number).normal(0, 2 * NOISE, frames.shape)
        noisy = (frames + torch.from_numpy(draws).float()).clamp(-1, 1)
        return Clips(noisy, clip.flow[None], clip.visible[None].float())


def judged_clips(
    data: str,
    look: Look,
    clips: int,
    flow: FlowEstimator,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    split: Literal["test", "all"] = "test",
) -> JudgedClips:
    """The clips a command line names.

    Args:
        data: ``scenes``, or a folder: Vimeo-90K, or of pictures (a camera moves over them), or of videos.
        look: the style.
        clips: how many; 0 takes all there are of a folder.
        flow: for clips that bring none.
        size: (height, width); None: 128x128 for pictures in motion, 256x448 for videos.
        frames: of a clip; None: 7, or as many as a sequence of Vimeo-90K has.
        split: of Vimeo-90K.

    Raises:
        DataError: a folder that is missing or holds nothing usable.
    """
    root = Path(data).expanduser()
    content: Content
    if data == "scenes":
        content, label = pictures_content(scenes(), "photographs never trained on", clips, size or SCENES, frames or FRAMES)
    elif is_vimeo(root):
        length = Vimeo90K(str(root), "").length
        module = Vimeo90K(str(root), "", allow_missing=True, frames=frames or length)
        content, label = module.judged_clips(split, size or VIDEO), f"Vimeo-90K {root} ({split})"
    elif list_files(root, PICTURES) and not list_files(root, VIDEOS):
        size = size or SCENES
        content, label = pictures_content(pictures_of(root, size), f"pictures of {root}", clips, size, frames or FRAMES)
    else:
        found = [shot for video in usable_videos(root, frames or FRAMES) for shot in shots(video, frames or FRAMES)]
        content = VideoClips(found, frames or FRAMES, size or VIDEO, 1, "judged", training=False)
        label = f"videos of {root}"
    size, frames = content.size, content.frames
    return JudgedClips(content, style_clips(look, frames, size, min(clips or len(content), len(content))), clips, flow, label)


def pictures_content(
    pictures: Pictures, what: str, clips: int, size: tuple[int, int], frames: int
) -> tuple[PicturesInMotion, str]:
    """Pictures under a moving camera, each at least once if all are asked for, and what they are called."""
    return PicturesInMotion(pictures, frames, size, clips or len(pictures)), f"{len(pictures)} {what}, in motion"


def is_vimeo(root: Path) -> bool:
    """Whether a folder is Vimeo-90K, as published or packed."""
    return any((root / f"{prefix}_trainlist.txt").is_file() for prefix in ("sep", "tri"))


def scenes() -> Pictures:
    """The photographs that are never trained on."""
    return [(name, partial(photograph, name)) for name in PHOTOGRAPHS["val"]]


def style_clips(look: Look, frames: int, size: tuple[int, int], clips: int) -> ClipSource:
    """Clips of a style, at least as many as there are of the content if it is pictures.

    Raises:
        DataError: a folder that is missing or holds nothing usable.
    """
    if look.folder is None:
        palettes = look.palettes * PAINTINGS  # one after the other, as training paints them
        pictures: Pictures = [
            (f"{name} {number}", partial(painting, look.seed, name, number)) for number, name in enumerate(palettes)
        ]
    elif list_files(look.folder, PICTURES) and not list_files(look.folder, VIDEOS):
        pictures = pictures_of(look.folder, size)
    else:
        return style_source(look.folder, frames, size)
    return PicturesInMotion(pictures, frames, size, max(clips, min(len(pictures), MOST_STYLES)))
