"""Any folder of video files as content."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from datamodules.base import ClipDataModule, unmet
from datamodules.shots import divide
from datamodules.source import ClipSource, Split
from datamodules.style import style_source
from datamodules.video_clips import VideoClips, extent
from datamodules.video_index import usable_videos
from datamodules.videos import Video


class VideoFolder(ClipDataModule):
    """Videos of any kind and size as content, without known flow. A tenth of the files, or the end of a single one, validates.

    Args:
        root: folder of video files; folders below it count as well.
        style: folder of pictures or videos in the wanted look.
        stride: frames of the video from one of the clip to the next, >= 1.
        fps: frames per second to read videos at: the frame shown at each moment, whatever rates the files have; ``stride``
            then counts these. None reads every frame there is.
        max_lost: largest share of the files that may be unreadable, in [0, 1].
        options: of every source, see ``ClipDataModule``.
    """

    def __init__(
        self, root: str, style: str, stride: int = 1, fps: float | None = None, max_lost: float = 0.5, **options: Any
    ) -> None:
        self.root, self.style, self.stride = Path(root).expanduser(), style, stride
        self.fps, self.max_lost = fps, max_lost
        super().__init__(**options)

    def problems(self) -> list[str]:
        return unmet(
            ("stride", self.stride, ">= 1", self.stride >= 1),
            ("fps", self.fps, "> 0", self.fps is None or self.fps > 0),
            ("max_lost", self.max_lost, "in [0, 1]", 0 <= self.max_lost <= 1),
        )

    @property
    def rate(self) -> Fraction | None:
        """Frames per second as written: 23.976 means that number and not the float next to it."""
        return None if self.fps is None else Fraction(str(self.fps))

    def prepare_data(self) -> None:
        """Check the files before several processes on this machine would all do so."""
        self._videos()

    def content_clips(self, split: Split) -> ClipSource:
        least = extent(self.frames, self.stride)
        found = divide(self._videos(), split, least, self.rate, self.root)
        return VideoClips(found, self.frames, self.load_size, self.stride, "video folder", split == "train")

    def style_clips(self, split: Split) -> ClipSource:
        return style_source(self.style, self.frames, self.load_size)

    def _videos(self) -> list[Video]:
        return usable_videos(self.root, extent(self.frames, self.stride), self.rate, self.max_lost)
