"""The videos of a folder that can be used: every file is checked once, in processes side by side, and remembered.

``python -m datamodules.video_index FOLDER`` lists what is known of each file.
"""

import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from datamodules.check_pool import check_files
from datamodules.errors import DataError
from datamodules.folder import VIDEOS, list_files
from datamodules.shots import Shot, shots
from datamodules.video_cache import remember, remembered
from datamodules.videos import Video, from_json

NAMED = 20  # files left out that are named
SLOW = 100  # frames of a file that is always read from its beginning, above which this is worth a word


def usable_videos(folder: Path, least: int, rate: Fraction | None = None, max_lost: float = 0.5) -> list[Video]:
    """The videos of a folder and the folders below it that have a shot long enough. Says in one line what came of it.

    Args:
        folder: to search.
        least: places of a shot that are needed, see ``Shot``.
        rate: places per second; None for every frame.
        max_lost: largest share of the files that may be unreadable.

    Raises:
        DataError: no such folder, no usable video, or too many files that cannot be read.
    """
    known = known_videos(list_files(folder, VIDEOS))
    names = {path: str(path.relative_to(folder)) for path in known}
    lost = [f"{names[path]} (expected {e.expected}, got {e.got})" for path, e in known.items() if isinstance(e, DataError)]
    videos = [video for video in known.values() if isinstance(video, Video)]
    used = {video.path: shots(video, least, rate) for video in videos}
    short = [f"{names[v.path]} ({_longest(v, rate)} frames at a stretch of {least})" for v in videos if not used[v.path]]
    left_out = "left out: " + _some(lost + short) if lost or short else ""
    if len(short) == len(videos):
        expected, action = f"videos of at least {least} frames without a cut", "give other files or ask for shorter clips"
        raise DataError(folder, expected, f"none: {left_out or 'no video files'}", action)
    if len(lost) > max_lost * len(known):
        expected, got = f"at most {max_lost:.0%} of the videos unreadable", f"{len(lost)} of {len(known)}: {_some(lost)}"
        raise DataError(folder, expected, got, "repair or remove them, or accept it (max_lost)")
    usable = [video for video in videos if used[video.path]]
    _say("; ".join(filter(None, (*_summary(folder, usable, used, len(known)), left_out))))
    return usable


def _longest(video: Video, rate: Fraction | None) -> int:
    return max(shot.length for shot in shots(video, 1, rate))


def _some(reasons: list[str]) -> str:
    more = len(reasons) - NAMED
    return "; ".join(reasons[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _summary(folder: Path, usable: list[Video], used: dict[Path, list[Shot]], files: int) -> Iterator[str]:
    frames, found = sum(video.frames for video in usable), sum(len(video.cuts) + 1 for video in usable)
    yield f"{folder}: {len(usable)} of {files} videos usable, {frames} frames in {found} shots"
    short = found - sum(len(used[video.path]) for video in usable)
    if short:
        rest = frames - sum(shot.stop - shot.first for video in usable for shot in used[video.path])
        yield f"shots shorter than a clip, not used: {short} with {rest} frames"
    slow = sum(video.in_order and video.frames > SLOW for video in usable)
    if slow:
        yield f"slow, as read from their beginning each time: {slow} (convert to H.264 with key frames)"


@rank_zero_only
def say(line: str) -> None:
    """Tell the person who runs this."""
    print(line, file=sys.stderr)


@lru_cache(maxsize=64)
def _say(line: str) -> None:
    """Say a line, once: training and validation look at the same folder."""
    say(line)


_known: dict[tuple[Path, int, int], dict[str, Any]] = {}  # for when the cache folder cannot be written to


def known_videos(paths: list[Path]) -> dict[Path, Video | DataError]:
    """What is known of each file, after checking those of which nothing is."""
    known: dict[Path, Video | DataError] = {}
    unknown: dict[Path, tuple[int, int]] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
        except OSError as error:
            known[path] = DataError(path, "a file that can be read", error.strerror or str(error), "repair or remove it")
            continue
        size, changed = status.st_size, status.st_mtime_ns
        try:
            found = _known.get((path, size, changed)) or remembered(path, size, changed)
            known[path] = _result(path, size, changed, found or {})
        except (KeyError, TypeError, ValueError):
            unknown[path] = size, changed
    for path, answer in check_files({path: size for path, (size, _) in unknown.items()}):
        _known[(path, *unknown[path])] = answer
        if "died" not in answer:
            _remember(path, *unknown[path], answer)
        known[path] = _result(path, *unknown[path], answer)
    return {path: known[path] for path in paths}


def _result(path: Path, size: int, changed: int, found: dict[str, Any]) -> Video | DataError:
    """An answer of ``Checker`` as what it stands for.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    if "video" in found:
        return from_json(path, size, changed, found["video"])
    if "error" in found:
        expected, got, action = found["error"]
        return DataError(path, expected, got, action)
    return DataError(path, "a video that can be checked", f"one that crashes the check ({found['died']})", "convert it")


def _remember(path: Path, size: int, changed: int, found: dict[str, Any]) -> None:
    try:
        remember(path, size, changed, found)
    except OSError as error:
        _say(f"videos are checked again in every run, as the cache folder cannot be written to ({error})")


def main(folder: str) -> None:
    """Print a line for each video file of a folder."""
    for path, found in known_videos(list_files(Path(folder), VIDEOS)).items():
        print(found if isinstance(found, DataError) else f"{path}: {_described(found)}")


def _described(video: Video) -> str:
    seconds = float(video.time(video.frames - 1) - video.time(0))
    rate = "even" if isinstance(video.ticks, range) else "uneven"
    reading = "in order" if video.in_order else video.decoder
    return (
        f"{video.codec} in {video.container}, {video.frames} frames in {seconds:.2f} s ({rate}), {len(video.cuts) + 1} shots, "
        f"rotation {video.rotation}, read by {reading}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
