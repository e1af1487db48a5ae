"""Reading Vimeo-90K: the published pictures against the packed forms, in one process, in turn; then the whole loader."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.decode import read_pictures
from datamodules.errors import DataError
from datamodules.moving_scenes import PhotographScenes
from datamodules.pack import pack
from datamodules.pack_formats import Format, encode
from datamodules.packed import Pack
from datamodules.random import Draw
from datamodules.vimeo90k_lists import Layout, find_layout, read_list
from fit.bench_loader import waiting

Frames = NDArray[np.uint8]
FULL_SET = 91_701  # sequences of all septuplets
FORMS: tuple[Format, ...] = ("lossless", "small")
SEPTUPLETS = Layout("sep", 7)


class Clips(NamedTuple):
    """A small Vimeo-90K: its folder, sequences and their length."""

    root: Path
    names: list[str]
    length: int

    def folder(self, clip: int) -> Path:
        """Of one sequence."""
        return self.root / "sequences" / self.names[clip]


class Way(NamedTuple):
    """A way to store and read clips: how to read one by its number, bytes of each, seconds to make one."""

    name: str
    read: Callable[[int], Frames]
    bytes: float
    seconds: float | None = None


def data(options: argparse.Namespace) -> None:
    """Print how fast each form is read and written, and how long training waits for it."""
    with tempfile.TemporaryDirectory() as folder:
        clips = (
            selection(options.root, Path(folder, "png"), options.clips)
            if options.root
            else generated(Path(folder), options.clips)
        )
        ways = [*published(clips), *(packed(clips, Path(folder, form), form) for form in FORMS)]
        where = options.root or "generated"
        print(f"Reading {clips.length} frames: {len(clips.names)} clips ({where}), {options.rounds} rounds in turn, one thread")
        compare(clips, ways, options.rounds)
        roots = {"PNG": clips.root, **{f"packed {form}": Path(folder, form) for form in FORMS}}
        waiting(roots, options.style, options.videos, clips.length, options.steps)


def generated(folder: Path, count: int) -> Clips:
    """Write photographs in motion, with sensor noise, as sequences of PNG files."""
    clips = Clips(folder / "png", [f"{number:05d}/0001" for number in range(1, count + 1)], SEPTUPLETS.length)
    scenes = PhotographScenes("train", clips.length, (256, 448), layers=2, noise=0.02, speed=0.015, length=count)
    for clip in range(count):
        clips.folder(clip).mkdir(parents=True)
        for number, frame in enumerate(scenes.clip(Draw(0, 0, clip)).frames.permute(0, 2, 3, 1).numpy(), 1):
            cv2.imwrite(str(clips.folder(clip) / f"im{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    write_lists(clips, SEPTUPLETS)
    return clips


def selection(root: Path, folder: Path, count: int) -> Clips:
    """Some sequences of a set, spread over its lists; linked, not copied.

    Raises:
        DataError: not a folder of Vimeo-90K, or one that is packed.
    """
    layout = find_layout(root)
    names = [name.decode() for which in ("train", "test") for name in read_list(root / layout.list_of(which)).tolist()]
    there = [name for name in names if (root / "sequences" / name).is_dir()]
    if len(there) < 2:
        raise DataError(root, "two sequences or more in sequences/", str(len(there)), "give the folder as published")
    chosen = [there[i] for i in np.linspace(0, len(there) - 1, min(count, len(there))).astype(int)]
    clips = Clips(folder, chosen, layout.length)
    for number, name in enumerate(chosen):
        clips.folder(number).parent.mkdir(parents=True, exist_ok=True)
        clips.folder(number).symlink_to((root / "sequences" / name).resolve())
    write_lists(clips, layout)
    return clips


def write_lists(clips: Clips, layout: Layout) -> None:
    """All but the last sequence train."""
    (clips.root / layout.list_of("train")).write_text("\n".join(clips.names[:-1]))
    (clips.root / layout.list_of("test")).write_text(clips.names[-1])


def published(clips: Clips) -> list[Way]:
    """The PNG files, by OpenCV (the measure of all others) and as this project reads them."""
    size = sum(path.stat().st_size for clip in range(len(clips.names)) for path in clips.folder(clip).iterdir())
    each = size / len(clips.names)
    return [Way("PNG, OpenCV", partial(by_opencv, clips), each), Way("PNG, Decord", partial(by_decord, clips), each)]


def by_opencv(clips: Clips, clip: int) -> Frames:
    """All pictures of a sequence."""
    frames = [
        cv2.imread(str(clips.folder(clip) / f"im{number}.png"), cv2.IMREAD_COLOR_RGB) for number in range(1, clips.length + 1)
    ]
    return np.stack(frames).astype(np.uint8, copy=False)  # type: ignore[arg-type]


def by_decord(clips: Clips, clip: int) -> Frames:
    """All pictures of a sequence."""
    return read_pictures(clips.folder(clip), range(clips.length), clips.length)


def packed(clips: Clips, out: Path, form: Format) -> Way:
    """The clips packed. Reading and encoding is timed by itself: a few clips say little about starting processes."""
    pack(clips.root, out, form, processes=1, allow_missing=False)
    started = time.perf_counter()
    for clip in range(len(clips.names)):
        encode(by_opencv(clips, clip), form)
    seconds = time.perf_counter() - started
    reader = Pack(out)
    size = sum(Path(where, file).stat().st_size for where, _, files in os.walk(out) for file in files)
    numbers = {name.decode(): number for number, name in enumerate(reader.index.name.tolist())}

    def read(clip: int) -> Frames:
        return reader.read(numbers[clips.names[clip]], range(clips.length))

    return Way(f"packed {form}", read, size / len(clips.names), seconds / len(clips.names))


def compare(clips: Clips, ways: list[Way], rounds: int) -> None:
    """Print clips per second, bytes and faithfulness of each way, against the first."""
    cv2.setNumThreads(0)  # as in the loader's workers
    everything = range(len(clips.names))
    faithful = [[psnr(way.read(clip), ways[0].read(clip)) for clip in everything] for way in ways]  # and warms up
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, times in zip(ways, seconds, strict=True):
            started = time.perf_counter()
            for clip in everything:
                way.read(clip)
            times.append((time.perf_counter() - started) / len(everything))
    print(f"{'':18}{'clips/s':>9}{'ratio':>7}{'KiB/clip':>10}{'PSNR dB (least)':>18}{'hours to pack all':>19}")
    for way, times, quality in zip(ways, seconds, faithful, strict=True):
        ratio = median(a / b for a, b in zip(seconds[0], times, strict=True))
        shown = "exact" if min(quality) == np.inf else f"{np.mean(quality):.1f} ({min(quality):.1f})"
        hours = "" if way.seconds is None else f"{way.seconds * FULL_SET / 3600:.1f} on one core"
        print(f"{way.name:18}{1 / median(times):9.1f}{ratio:7.2f}{way.bytes / 1024:10.0f}{shown:>18}{hours:>19}")


def psnr(one: Frames, other: Frames) -> float:
    """Peak signal to noise ratio over all values of a clip, in dB."""
    error = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / error)) if error else np.inf
