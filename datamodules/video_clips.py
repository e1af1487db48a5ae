"""Clips out of a folder of videos."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from datamodules.batch import Clips
from datamodules.decode import read_frames
from datamodules.random import Draw, rng
from datamodules.resize import channels_first, cover
from datamodules.shots import Shot, shots
from datamodules.source import ClipSource
from datamodules.video_index import usable_videos


class VideoClips(ClipSource):
    """Clips of videos. In training: anywhere, any crop, forwards or backwards; else side by side, in the middle, forwards.

    Args:
        shots: to take clips from, each at least one clip long.
        frames, size: of a clip.
        stride: places of the shot from one frame of the clip to the next, >= 1.
        stream: of random numbers.
        training: whether to choose at random.
    """

    def __init__(self, shots: list[Shot], frames: int, size: tuple[int, int], stride: int, stream: str, training: bool) -> None:
        self.shots, self.frames, self.size, self.stride = shots, frames, size, stride
        self.stream, self.training = stream, training
        self.extent = extent(frames, stride)
        # So many clips fit side by side into the shots up to each.
        self.ends = list(accumulate(shot.length // self.extent for shot in shots))

    def __len__(self) -> int:
        return self.ends[-1]

    def name(self, index: int) -> str:
        shot, start = self._place(index)
        return f"{shot.video.path.name} from frame {shot.frame(start)}"

    def _place(self, index: int) -> tuple[Shot, int]:
        """The shot of a clip, and where in it the clip begins if nothing is random."""
        which = bisect_right(self.ends, index)
        return self.shots[which], self.extent * (index - (self.ends[which - 1] if which else 0))

    def clip(self, draw: Draw) -> Clips:
        shot, start = self._place(draw.index)
        place, reverse = None, False
        if self.training:
            draws = rng(draw.seed, self.stream, draw.epoch, draw.index)
            start, place = int(draws.integers(shot.length - self.extent + 1)), (draws.random(), draws.random())
            reverse = draws.random() < 0.5
        numbers = [shot.frame(start + step * self.stride) for step in range(self.frames)]
        frames = cover(read_frames(shot.video, numbers), self.size, place)
        # Time is turned here, before anyone computes flow from the frames.
        return Clips(channels_first(frames[::-1] if reverse else frames))


def extent(frames: int, stride: int) -> int:
    """Places of a shot that a clip reaches over."""
    return (frames - 1) * stride + 1


class StyleVideos(VideoClips):
    """Clips of a folder of videos that show the style: all of them, in training and in validation.

    Args:
        folder: of the videos; folders below it count as well.
        frames, size: of a clip.

    Raises:
        DataError: see ``usable_videos``.
    """

    def __init__(self, folder: Path, frames: int, size: tuple[int, int]) -> None:
        found = [shot for video in usable_videos(folder, frames) for shot in shots(video, frames)]
        super().__init__(found, frames, size, 1, "style video", training=True)
