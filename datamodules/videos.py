"""What is known of a video file after it was decoded once; see ``video_check`` for how it is found out."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

# What reads single frames of a file right: Decord, or PyAV beginning at key frames that were tried.
Decoder = Literal["decord", "pyav"]
# To be raised when the check of a file finds out more than before, or something else.
CHECK = 1


class Video(NamedTuple):
    """A usable file. Frames are numbered from 0 in the order they are shown.

    Attributes:
        path: of the file.
        size, changed: bytes, and nanoseconds of its last change, when it was looked at.
        container, codec: FFmpeg's names of them.
        rotation: degrees that the stored pictures are turned counter-clockwise to be upright.
        decoder: what reads it.
        entries: frames from which PyAV decodes right, the first being 0; empty where Decord reads the file.
        cuts: frames that begin a new shot, but 0.
        ticks: when each frame is shown, in units of ``time_base``; rising.
        time_base: seconds.
    """

    path: Path
    size: int
    changed: int
    container: str
    codec: str
    rotation: int
    decoder: Decoder
    entries: tuple[int, ...]
    cuts: tuple[int, ...]
    ticks: Sequence[int]
    time_base: Fraction

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.ticks)

    @property
    def in_order(self) -> bool:
        """Whether every reading begins at the first frame, which is slow."""
        return self.entries == (0,)

    def entry(self, number: int) -> int:
        """The last frame up to ``number`` from which PyAV decodes right."""
        return self.entries[bisect_right(self.entries, number) - 1]

    def time(self, number: int) -> Fraction:
        """Seconds on the file's clock at which a frame is shown, exact."""
        return int(self.ticks[number]) * self.time_base


def to_ticks(times: Sequence[Fraction]) -> tuple[Sequence[int], Fraction]:
    """Exact times as whole numbers of the longest unit that fits all of them: a ``range`` where evenly spaced, else an array.

    Args:
        times: seconds, rising, at least one.
    """
    unit = Fraction(1, lcm(*(time.denominator for time in times)))
    return _compact([int(time / unit) for time in times]), unit


def _compact(ticks: list[int]) -> Sequence[int]:
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    even = range(ticks[0], ticks[0] + step * len(ticks), step)
    # Millions of frames are kept in memory by every loader process.
    return even if ticks == list(even) else np.array(ticks, dtype=np.int64)  # type: ignore[return-value]


def to_json(video: Video) -> dict[str, Any]:
    """A video as JSON can hold it, less what names the file."""
    ticks = video.ticks
    spaced = [ticks.start, ticks.stop, ticks.step] if isinstance(ticks, range) else None
    kept = {name: value for name, value in video._asdict().items() if name not in ("path", "size", "changed", "ticks")}
    return {**kept, "time_base": str(video.time_base), "range": spaced, "ticks": None if spaced else [int(t) for t in ticks]}


def from_json(path: Path, size: int, changed: int, kept: dict[str, Any]) -> Video:
    """What ``to_json`` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is not that.
    """
    kept = dict(kept)
    spaced, ticks = kept.pop("range"), kept.pop("ticks")
    return Video(
        path=path,
        size=size,
        changed=changed,
        **kept
        | {
            "time_base": Fraction(kept["time_base"]),
            "entries": tuple(kept["entries"]),
            "cuts": tuple(kept["cuts"]),
            "ticks": range(*spaced) if spaced else _compact(ticks),
        },
    )
