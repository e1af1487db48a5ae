"""One network in torch and exported in every precision, painting the same frames in turn."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch

from fit.evaluation.one_frame import Size, paint_frame
from fit.export import export
from fit.hardware import place
from fit.onnx_check import real_frames
from fit.stream import Paint, load_paint

KINDS: dict[str, dict[str, Any]] = {
    "ONNX float32": {},
    "ONNX int8": {"quantize": "int8"},
    "ONNX float16": {"half": True},
}


class Taken(NamedTuple):
    """Seconds of a frame: by the clock, and of work on all cores together, which other processes hardly change."""

    wall: float
    cores: float


def exported(given: argparse.Namespace) -> None:
    """Export a checkpoint in every precision and print how fast, how large and how far from torch each is.

    Raises:
        CheckpointError, OnnxError: what cannot be exported.
    """
    painters = {"torch float32": load_paint(given.checkpoint)}
    about = {"torch float32": ""}
    with TemporaryDirectory() as folder:
        for number, (name, options) in enumerate(KINDS.items()):
            path = Path(folder, f"{number}.onnx")
            found = export(given.checkpoint, path, **options)
            about[name] = f"{path.stat().st_size / 2**20:.2f} MiB, PSNR >= {found.psnr:.1f} dB"
            painters[name] = load_paint(path)
    print(f"{given.checkpoint}; {place(torch.device('cpu'))}; medians of {given.repeats} frames of each, in turn")
    for size in given.size:
        print(f"{size[0]}x{size[1]}", flush=True)
        for name, line in rows(seconds(painters, size, given.repeats)).items():
            print(f"  {name:14} {line}  {about[name]}".rstrip())


def rows(times: Mapping[str, Taken]) -> dict[str, str]:
    """What is said of each painter's time."""
    torchs, whole = times["torch float32"], times["ONNX float32"]
    return {
        name: (
            f"{1 / wall:8.1f} frames/s ({torchs.wall / wall:.2f} of torch, {whole.wall / wall:.2f} of ONNX float32), "
            f"{1000 * cores:.1f} ms on all cores ({torchs.cores / cores:.2f}, {whole.cores / cores:.2f})"
        )
        for name, (wall, cores) in times.items()
    }


def seconds(painters: Mapping[str, Paint], size: Size, repeats: int) -> dict[str, Taken]:
    """Median times of a frame for each painter; a first frame of each warms up."""
    frame = real_frames(1, *size)
    times: dict[str, list[Taken]] = {name: [] for name in painters}
    for _ in range(repeats + 1):
        for name, paint in painters.items():
            began, worked = perf_counter(), process_time()
            paint_frame(paint, frame)
            times[name].append(Taken(perf_counter() - began, process_time() - worked))
    return {name: Taken(*(median(one) for one in zip(*taken[1:], strict=True))) for name, taken in times.items()}
