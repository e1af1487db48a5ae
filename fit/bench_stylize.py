"""Repainting a video file: each stage alone, all together, and the network against the usual one of the same job."""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import torch
from PIL import Image
from skimage import data as photographs

from datamodules.cores import cores
from datamodules.frames import open_video
from fit.bench_networks import networks
from fit.evaluation.one_frame import random_frame
from fit.hardware import place, usable
from fit.planes import in_planes
from fit.render import check, frames_together, painters, render
from fit.stream import Paint, load_whole, repaint, whole
from fit.timeline import Event, Frame, play
from fit.video import VideoWriter
from lightning_modules.realtime import Realtime

RATE = Fraction(30)
KEPT = 16  # frames that stages alone are given, again and again
NOISE = 2.0  # of the camera, in steps of 255


@dataclass(frozen=True)
class Stage:
    """What a stage took for each frame: seconds by the clock, and seconds of processor cores."""

    wall: float
    work: float


def stylize(given: argparse.Namespace) -> None:
    """Print all of it."""
    device = usable(None)
    random_frame(given.size, device)  # refuses sizes and devices before any work
    method = load_whole(given.checkpoint, device) if given.checkpoint else Realtime().to(device).eval()
    height, width = given.size
    given.batch = given.batch or (1 if given.compile else frames_together(given.size, device))
    what = f"{type(method.stylizer()).__name__}, {given.checkpoint or 'untrained'}{', compiled' if given.compile else ''}"
    paint = whole(method, given.compile)
    print(f"Repainting {given.frames} frames of {width}x{height}, mp4 to mp4, H.264; {what}; {place(torch.device(device))}")
    with TemporaryDirectory() as folder:
        source = film(Path(folder, "in.mp4"), given.size, given.frames)
        pipeline(source, paint, given, device)
    networks(paint, given.size, given.seconds, device)


def pipeline(source: Path, paint: Paint, given: argparse.Namespace, device: str) -> None:
    """Print the stages, all together, and what of the possible that is."""
    alone = stages(source, paint, given, device)
    out = source.with_name("out.mp4")
    together = measured(lambda: render([source], out, paint, batch=given.batch, device=device), given.frames)
    print(f"{'':34}{'frames/s':>9}{'core-ms a frame':>17}")
    for name, stage in (*alone.items(), ("all together, no check", together)):
        print(f"{name:34}{1 / stage.wall:9.1f}{1000 * stage.work:17.1f}")
    parts = list(alone.values())[1:]
    print(f"{'sum of decode, network, encode':34}{'':9}{1000 * sum(stage.work for stage in parts):17.1f}")
    possible = possible_rate(parts, cores(), device)
    print(f"{'possible':34}{possible:9.1f}   {in_words(cores(), device)}")
    print(f"{'reached of that':34}{100 / together.wall / possible:7.0f} %")
    print(render([source], out, paint, device=device, latency=True)[-1])
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)
    print(f"peak memory of the process: {peak} MiB", flush=True)


def stages(source: Path, paint: Paint, given: argparse.Namespace, device: str) -> dict[str, Stage]:
    """Each stage as ``fit.stylize`` runs it, alone."""
    out = source.with_name("out.mp4")
    with open_video(source) as reader, VideoWriter(out, [reader]) as writer:
        planes = in_planes(paint, [reader.info], writer.target, writer.pixel_format)
        writer.write(next(play([reader], reader.info)))  # a writer refuses to end without a frame
    workers, threads = painters(device)

    def played() -> Iterator[Event]:
        with open_video(source) as reader:
            yield from play([reader], reader.info, planes=planes is not None)

    frames = [event for event in islice(played(), KEPT) if isinstance(event, Frame)]

    def encode() -> None:
        with open_video(source) as reader, VideoWriter(out, [reader]) as writer:
            for event in again(frames, given.frames):
                writer.write(event)

    def network() -> None:
        exhaust(repaint(again(frames, given.frames), planes or paint, given.batch, device, workers, threads))

    # Warms up; in such threads, for compiled networks are translated anew for another number of them. Twice, for of several
    # that translate at the same time one may find at its next frame that it has to do so again.
    for _ in range(2):
        exhaust(repaint(again(frames, 2 * given.batch), planes or paint, given.batch, device, workers, threads))
    form = "planes" if planes else "RGB"
    return {
        "check (decode)": measured(lambda: check([source]), given.frames),
        f"decode, to {form}": measured(lambda: exhaust(played()), given.frames),
        f"network, {workers * given.batch} at once": measured(network, given.frames),
        f"encode, from {form}": measured(encode, given.frames),
    }


def possible_rate(alone: list[Stage], count: int, device: str) -> float:
    """Frames a second that stages allow which never wait: by their work on all cores; beside a GPU, by the slowest."""
    if torch.device(device).type == "cpu":
        return count / sum(stage.work for stage in alone)
    return 1 / max(stage.wall for stage in alone)


def in_words(count: int, device: str) -> str:
    """What ``possible_rate`` is."""
    return f"{count} cores over that sum" if torch.device(device).type == "cpu" else "the slowest stage"


def measured(work: Callable[[], object], frames: int) -> Stage:
    """Do it once, for so many frames."""
    began = time.perf_counter(), time.process_time()
    work()
    return Stage((time.perf_counter() - began[0]) / frames, (time.process_time() - began[1]) / frames)


def again(frames: list[Frame], count: int) -> Iterator[Frame]:
    """The frames, and from the first anew, as one film of ``count``."""
    for number, frame in enumerate(islice(cycle(frames), count)):
        yield Frame(number / RATE, 1 / RATE, frame.pixels)


def exhaust(events: Iterable[Event]) -> None:
    """Take them all, keep none."""
    for _ in events:
        pass


def film(path: Path, size: tuple[int, int], frames: int) -> Path:
    """A camera goes round over a photograph; its noise is what encoders have most to do with."""
    height, width = size
    swing = max(2, min(size) // 8)
    photograph = photographs.astronaut()  # type: ignore[no-untyped-call]
    plane = np.asarray(Image.fromarray(photograph).resize((width + 2 * swing, height + 2 * swing)))
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "20"})
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        for number in range(frames):
            top, left = (round(swing * (1 + turn(number / 30))) for turn in (np.sin, np.cos))
            seen = plane[top : top + height, left : left + width] + rng.normal(0, NOISE, (height, width, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(seen.round().clip(0, 255).astype(np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    return path
