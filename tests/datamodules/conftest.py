"""Small videos whose frames carry their number, so that a wrong frame can be told from the right one; smooth pictures."""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batch import Clips
from datamodules.errors import DataError
from datamodules.random import Draw, rng
from datamodules.source import ClipSource
from datamodules.videos import Decoder, Video
from lightning_modules.ops.warp import warp

HEIGHT, WIDTH, BITS = 32, 64, 8


def barcode(number: int) -> NDArray[np.uint8]:
    """A picture ``(32, 64, 3)``: the number in Gray code as black and white columns, on half its height; blue above them.

    From one number to the next a single column changes, so that counting looks like motion and not like cuts.
    """
    picture = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[: HEIGHT // 2, :, 2] = 200
    code = number ^ number >> 1
    for bit in range(BITS):
        picture[HEIGHT // 2 :, bit * 8 : bit * 8 + 8] = 255 * (code >> bit & 1)
    return picture


def numbers(frames: NDArray[np.uint8]) -> list[int]:
    """The numbers that ``(T, H, W, 3)`` pictures carry, whole pictures of any size."""
    height, width = frames.shape[1:3]
    lines = frames[:, height * 3 // 4, [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)], 1] > 127
    # Decoding Gray code: every bit is the parity of its own and all higher columns.
    return [sum(int(line[bit:].sum() % 2) << bit for bit in range(BITS)) for line in lines]


def write_video(
    path: Path,
    shown: Sequence[int] = range(24),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (HEIGHT, WIDTH),
    **options: str,
) -> Path:
    """Encode barcodes. ``options`` are the codec's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1", **options})
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        for number in shown:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(barcode(number), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def video() -> Callable[..., Path]:
    return write_video


@pytest.fixture(scope="session")
def numbered_picture() -> Callable[[int], NDArray[np.uint8]]:
    return barcode


@pytest.fixture
def record() -> Callable[..., Video]:
    """What is known of a file of even rate, without checking it."""

    def build(path: Path, frames: int, decoder: Decoder = "decord", **options: Any) -> Video:
        status = path.stat() if path.exists() else os.stat_result([0] * 10)
        entries = (0,) if decoder == "pyav" else ()
        known = {"rotation": 0, "entries": entries, "cuts": (), "ticks": range(frames), "time_base": Fraction(1, 25)} | options
        return Video(path, status.st_size, status.st_mtime_ns, "mp4", "h264", decoder=decoder, **known)

    return build


@pytest.fixture
def read_numbers() -> Callable[[NDArray[np.uint8]], list[int]]:
    return numbers


def smooth_picture(seed: int, height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """Slow waves of colour ``(height, width, 3)``: reading between pixels is exact to about a grey level."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = []
    for _ in range(3):
        angle, period, phase = draws.uniform(0, 2 * np.pi), draws.uniform(110, 180), draws.uniform(0, 2 * np.pi)
        waves.append(127.5 + 90 * np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period + phase))
    return np.stack(waves, -1).round().astype(np.uint8)


@pytest.fixture
def smooth() -> Callable[..., NDArray[np.uint8]]:
    return smooth_picture


def misalignment(clips: Clips) -> tuple[Tensor, Tensor, Tensor]:
    """Per value ``(..., T - 1, 3, H, W)``: difference along the flow, difference at the same pixel, and what is visible."""
    frames = clips.frames.float()
    moved = (warp(frames[..., :-1, :, :, :], clips.flow) - frames[..., 1:, :, :, :]).abs()
    still = (frames[..., :-1, :, :, :] - frames[..., 1:, :, :, :]).abs()
    return moved, still, clips.visible.bool().expand_as(moved)


@pytest.fixture
def align() -> Callable[[Clips], tuple[Tensor, Tensor, Tensor]]:
    return misalignment


class NumberedClips(ClipSource):
    """Clips that carry in their first pixel which they are, and noise elsewhere. Some can be made to fail.

    Args:
        length: number of clips.
        first: number of the first.
        side: height and width.
        broken: clips that cannot be read.
        log: grows by a byte for every clip that is asked for, from whatever process.
    """

    def __init__(
        self, length: int, first: int = 0, side: int = 18, broken: Sequence[int] = (), log: Path | None = None
    ) -> None:
        self.length, self.first, self.side, self.broken, self.log = length, first, side, broken, log

    def __len__(self) -> int:
        return self.length

    def clip(self, draw: Draw) -> Clips:
        if self.log:
            with self.log.open("ab") as file:
                file.write(b".")
        if draw.index in self.broken:
            raise DataError(f"film{draw.index}.mp4", "a film", "none", "repair it")
        noise = rng(draw.seed, "numbered", draw.epoch, draw.index).integers(0, 256, (2, 3, self.side, self.side))
        frames = torch.from_numpy(noise).byte()
        frames[..., 0, 0] = self.first + draw.index
        return Clips(frames)


@pytest.fixture
def numbered() -> type[NumberedClips]:
    return NumberedClips


def write_vimeo(
    root: Path, train: int = 5, test: int = 2, length: int = 7, size: tuple[int, int] = (16, 28), folders: int = 3
) -> Path:
    """A folder in the published layout: noise, with the numbers of the sequence and of the picture in the first pixel."""
    names = [f"{1 + number % folders:05d}/{1 + number:04d}" for number in range(train + test)]
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for which, name in enumerate(names):
        folder = root / "sequences" / name
        folder.mkdir(parents=True)
        for number in range(1, length + 1):
            picture = np.roll(noise, (which, number), axis=(0, 1))
            picture[0, 0] = which // 256, which % 256, number
            cv2.imwrite(str(folder / f"im{number}.png"), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    prefix = "sep" if length == 7 else "tri"
    (root / f"{prefix}_trainlist.txt").write_text("\n".join(names[:train]) + "\n")
    (root / f"{prefix}_testlist.txt").write_text("\n".join(names[train:]) + "\n")
    return root


@pytest.fixture(scope="session")
def vimeo() -> Callable[..., Path]:
    return write_vimeo


@pytest.fixture
def pack_small_shards(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Packs a folder in this process, three clips to a file."""
    from datamodules import pack, pack_plan, pack_shard

    def build(root: Path, out: Path, form: str = "lossless") -> Path:
        monkeypatch.setattr(pack_plan, "CLIPS", 3)
        plan = pack_plan.make_plan(root, out, form, allow_missing=False)
        with pack.alone(out):
            pack_plan.settle(plan)
            for shard in plan.shards():
                pack_shard.write_shard(shard)
            pack.finish(plan)
            pack.tidy(plan)
        return out

    return build
