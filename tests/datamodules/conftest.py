"""Small videos whose frames carry their number, so that a wrong frame can be told from the right one; smooth pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batch import Clips
from lightning_modules.ops.warp import warp

HEIGHT, WIDTH, BITS = 32, 64, 8


def barcode(number: int) -> NDArray[np.uint8]:
    """A picture ``(32, 64, 3)``: the number's bits as black and white columns, on half its height; blue above them."""
    picture = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[: HEIGHT // 2, :, 2] = 200
    for bit in range(BITS):
        picture[HEIGHT // 2 :, bit * 8 : bit * 8 + 8] = 255 * (number >> bit & 1)
    return picture


def numbers(frames: NDArray[np.uint8]) -> list[int]:
    """The numbers that ``(T, H, W, 3)`` pictures carry, whole pictures of any size."""
    height, width = frames.shape[1:3]
    row = frames[:, height * 3 // 4, :, 1]
    return [sum(int(line[(2 * bit + 1) * width // (2 * BITS)] > 127) << bit for bit in range(BITS)) for line in row]


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
