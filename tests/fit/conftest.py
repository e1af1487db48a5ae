"""Small videos with everything about them chosen: times, size, turn, pixel shape, colour tags, sound. Sweeps of a stand-in."""

import json
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image

CLOCK = Fraction(1, 90000)
EVERY_40_MS = tuple(Fraction(n, 25) for n in range(10))


def picture(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Grey that grows with the number; red at the left, blue at the top: no turn or mirroring leaves it as it is."""
    rgb = np.full((height, width, 3), min(255, 20 + 4 * number), np.uint8)
    rgb[:, : width // 4] = (200, 0, 0)
    rgb[: height // 4] = (0, 0, 200)
    return rgb


def sine(count: int, rate: int, layout: str) -> list[av.AudioFrame]:
    """A tone in pieces of a fiftieth of a second."""
    step, channels = rate // 50, av.AudioLayout(layout).nb_channels
    frames = []
    for n in range(count):
        wave = (8000 * np.sin(np.arange(n * step, (n + 1) * step) * 440 * 2 * np.pi / rate)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave[None], channels, 0).T.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, n * step, Fraction(1, rate)
        frames.append(frame)
    return frames


def write_clip(
    path: Path,
    times: Sequence[Fraction] = EVERY_40_MS,
    last: Fraction = Fraction(1, 25),
    size: tuple[int, int] = (48, 64),
    pixels: str = "yuv420p",
    codec: str = "libx264",
    rotation: int = 0,
    aspect: Fraction = Fraction(1),
    tags: tuple[int, int, int, int] = (2, 0, 2, 2),
    sound: Sequence[str] = (),
    rate: int = 44100,
    layout: str = "stereo",
    languages: Sequence[str] = (),
    muxer: str | None = None,
    first: int = 0,
    **options: str,
) -> Path:
    """Encode ``picture(first)``, ... at these times, the last one for ``last`` seconds; sound as long as the picture.

    ``tags`` are matrix, range, primaries, transfer; ``sound`` names encoders; the track of the last of ``languages`` is marked
    as the one to play; ``options`` are the video encoder's.
    """
    with av.open(str(path), "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1", "crf": "10", **options})
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        context = stream.codec_context
        context.time_base, context.sample_aspect_ratio, context.flags = CLOCK, aspect, context.flags | 1 << 8
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = tags
        if rotation:
            stream.set_display_rotation(rotation)
        tones = [container.add_stream(name, rate=rate, layout=layout) for name in sound]
        for tone, language in zip(tones, languages, strict=False):
            tone.metadata["language"], tone.disposition = language, Disposition.default if language == languages[-1] else 0
        packets = []
        for n, (now, after) in enumerate(zip(times, [*times[1:], times[-1] + last], strict=True)):
            frame = av.VideoFrame.from_ndarray(picture(first + n, *size), "rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=tags[0] if tags[0] != 2 else None)
            frame.pts, frame.duration, frame.time_base = round(now / CLOCK), round((after - now) / CLOCK), CLOCK
            packets += stream.encode(frame)
        packets += stream.encode()
        for tone in tones:
            for frame in sine(int((times[-1] + last) * 50), rate, layout):
                packets += tone.encode(frame)
            packets += tone.encode()
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """Write a video of this name into the test's folder; see ``write_clip``."""
    return lambda name="in.mp4", **options: write_clip(tmp_path / name, **options)


@pytest.fixture(scope="session")
def frame_number() -> Callable[[NDArray[np.uint8]], int]:
    """Which ``picture`` this is, from its grey."""
    return lambda rgb: round((float(rgb[rgb.shape[0] * 3 // 4, rgb.shape[1] * 3 // 4].mean()) - 20) / 4)


@pytest.fixture(scope="session")
def styles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three pictures."""
    folder = tmp_path_factory.mktemp("styles")
    for number in range(3):
        blocks = np.random.default_rng(number).integers(0, 256, (9, 12, 3), np.uint8)
        Image.fromarray(blocks).resize((120, 90)).save(folder / f"{number}.png")
    return folder


# A program that stands in for a run: quick, and told by its parameters how to behave.
FAKE = """
import csv, json, os, signal, sys, time
from pathlib import Path
from typing import Any
args = json.loads(Path(sys.argv[1]).read_text())
with open("starts.txt", "a") as file:  # in the working directory, as a trial has it
    file.write(json.dumps({"args": args, "pid": os.getpid(), "env": dict(os.environ)}) + "\\n")
if args.get("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
folder = Path(os.environ["FIT_RUNS"]) / "20300101-fake"
folder.mkdir(parents=True)  # fails where an earlier attempt has left one
config = {"model": {"init_args": {"steps": args.get("steps", 3)}}}
(folder / "config.yaml").write_text(json.dumps(config))
print("hello", flush=True)
with (folder / "metrics.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["step", "loss", "val/style", "val/flicker_ratio"])
    for step in range(1, args.get("steps", 3) + 1):
        value = args.get("loss", args.get("x", 1.0)) / step
        writer.writerow([step, value, value, 1 / (1 + abs(args.get("x", 1.0)))])
        file.flush()
        time.sleep(args.get("sleep", 0))
if args.get("exit"):
    print("something is wrong", file=sys.stderr)
with open("ends.txt", "a") as file:
    file.write(json.dumps(args) + "\\n")
sys.exit(args.get("exit", 0))
"""


@pytest.fixture
def sweep_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sweep file that runs the stand-in; what it has started is in starts.txt, what came to its end in ends.txt."""
    pytest.importorskip("sweeps.run", reason="the extra sweeps is not installed")

    def made(parameters: dict[str, Any], **keys: Any) -> Path:
        (tmp_path / "fake.py").write_text(FAKE)
        config = {
            "method": "grid",
            "metric": {"name": "loss", "goal": "minimize"},
            "command": [sys.executable, "-I", str(tmp_path / "fake.py"), "${args_json_file}"],
            "parameters": parameters,
        }
        path = tmp_path / "sweep.yaml"
        path.write_text(json.dumps(config | keys))  # JSON is YAML
        return path

    return made
