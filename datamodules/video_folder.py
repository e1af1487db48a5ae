"""Any folder of video files as content."""

from pathlib import Path
from typing import Any

from datamodules.base import ClipDataModule, ClipSource, Split, unmet
from datamodules.style import style_source
from datamodules.video_clips import VideoClips, divide, extent
from datamodules.video_index import usable_videos


class VideoFolder(ClipDataModule):
    """Videos of any kind and size as content, without known flow. A tenth of the files, or the end of a single one, validates.

    Args:
        root: folder of video files; folders below it count as well.
        style: folder of pictures or videos in the wanted look.
        stride: frames of the video from one of the clip to the next, >= 1.
        options: of every source, see ``ClipDataModule``.
    """

    def __init__(self, root: str, style: str, stride: int = 1, **options: Any) -> None:
        self.root, self.style, self.stride = Path(root).expanduser(), style, stride
        super().__init__(**options)

    def problems(self) -> list[str]:
        return unmet(("stride", self.stride, ">= 1", self.stride >= 1))

    def content_clips(self, split: Split) -> ClipSource:
        least = extent(self.frames, self.stride)
        stretches = divide(usable_videos(self.root, least), split, least, self.root)
        return VideoClips(stretches, self.frames, self.load_size, self.stride, "video folder", split == "train")

    def style_clips(self, split: Split) -> ClipSource:
        return style_source(self.style, self.frames, self.load_size)
