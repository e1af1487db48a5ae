"""Damaged files are named with a reason or, where they decode, read alike in any order; none takes the run down."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.decode import close_all, read_frames
from datamodules.errors import DataError
from datamodules.folder import VIDEOS, list_files
from datamodules.frames import open_video
from datamodules.random import rng
from datamodules.video_index import known_videos
from datamodules.videos import Video

KINDS = ("truncated", "flipped", "zeroed", "wrong extension", "empty")
GENERATED: dict[str, dict[str, str]] = {
    "plain.mp4": {"g": "8"},
    "open.mp4": {"x264-params": "open-gop=1:keyint=8:bframes=3:b-adapt=0:scenecut=0"},
    "x265.mkv": {"codec": "libx265", "x265-params": "keyint=8:log-level=none"},
    "stream.ts": {"g": "8"},
    "flash.flv": {"g": "8"},
    "vp9.webm": {"codec": "libvpx-vp9", "g": "8", "cpu-used": "8"},
    "mpeg4.avi": {"codec": "mpeg4", "g": "8"},
}
OTHER = {".mp4": ".mkv", ".mkv": ".mp4", ".ts": ".mp4", ".flv": ".avi", ".webm": ".mp4", ".avi": ".mov"}


def damage(whole: bytes, kind: str, draws: np.random.Generator) -> bytes:
    content, size = bytearray(whole), len(whole)
    if kind == "truncated":
        return whole[: int(draws.integers(1, size))]
    if kind == "flipped":
        for place in draws.integers(size, size=int(draws.choice([1, 3, 30]))):
            content[place] ^= int(draws.integers(1, 256))
    if kind == "zeroed":
        first, length = int(draws.integers(size)), int(draws.integers(1, max(2, size // 5)))
        content[first : first + length] = bytes(len(content[first : first + length]))
    return b"" if kind == "empty" else bytes(content)


def damaged(sources: list[Path], folder: Path, count: int) -> list[Path]:
    """So many damaged copies, of each kind about equally many but for the empty ones."""
    paths, draws = [], rng(0, "damage")
    folder.mkdir()
    for number in range(count):
        source = sources[number % len(sources)]
        kind = KINDS[4] if number % 50 == 0 else KINDS[number // len(sources) % 4]
        suffix = OTHER.get(source.suffix, ".mp4") if kind == "wrong extension" else source.suffix
        path = folder / f"{number} {kind}{suffix}"
        path.write_bytes(damage(source.read_bytes(), kind, draws))
        paths.append(path)
    return paths


def in_order(video: Video) -> Iterator[NDArray[np.int16]]:
    with open_video(video.path, stream="best", threads=1) as opened:
        for frame in opened:
            if video.decoder == "decord":  # whose conversion to RGB heeds fewer tags, and damage makes unheard-of ones
                plain = np.asarray(frame.picture.to_ndarray(format="rgb24"), dtype=np.uint8)
                yield frame.stored.apply(plain).astype(np.int16)
            else:
                yield frame.rgb.astype(np.int16)


def check_alike(video: Video) -> None:
    """Random reading gives, twice, what reading in order gives."""
    right = list(in_order(video))
    assert len(right) == video.frames
    draws = rng(0, "reads", video.frames)
    for _ in range(2):
        close_all()
        for first in draws.integers(max(1, video.frames - 3), size=8):
            numbers = range(first, min(first + 3, video.frames))
            for number, frame in zip(numbers, read_frames(video, numbers), strict=True):
                difference = np.abs(frame - right[number]).max()
                assert difference <= (2 if video.decoder == "decord" else 0), (video.path.name, number)


def outcomes(paths: list[Path]) -> Counter[str]:
    found = known_videos(paths)
    counted: Counter[str] = Counter()
    for path in paths:
        known, kind = found[path], path.stem.split(" ", 1)[1]
        if isinstance(known, DataError):
            assert "\n" not in str(known)
            assert str(path) in str(known)
            counted[f"{kind}: {'crash' if 'crashes the check' in known.got else 'named'}"] += 1
            if "crashes the check" in known.got:
                print(known)
        else:
            check_alike(known)
            counted[f"{kind}: {known.decoder}"] += 1
    return counted


@pytest.fixture
def generated(tmp_path: Path, video: Callable[..., Path]) -> list[Path]:
    return [video(tmp_path / "sources" / name, range(40), **options) for name, options in GENERATED.items()]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_damaged_files_are_named_or_read_alike(tmp_path: Path, generated: list[Path]) -> None:
    counted = outcomes(damaged(generated, tmp_path / "damaged", 28))
    assert counted.total() == 28
    assert counted["empty: named"] == 1
    assert counted["truncated: named"] >= 4
    assert counted["wrong extension: decord"] >= 2, "the suffix alone matters to nobody"


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.timeout(3600)
def test_three_hundred_damaged_files(tmp_path: Path, generated: list[Path], shared: Path) -> None:
    real = [path for path in list_files(shared / "videos", VIDEOS) if 0 < path.stat().st_size < 130_000]
    paths = damaged([*generated, *real], tmp_path / "damaged", 300)
    counted = outcomes(paths)
    print(dict(sorted(counted.items())))
    assert counted.total() == 300
    assert not [what for what in counted if what.startswith("empty") and not what.endswith("named")]
