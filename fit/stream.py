"""Checkpoint to painted frames: frames go in one after the other and come out repainted, at the size they had."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.pictures import Pixels
from fit.onnx_file import is_onnx
from fit.onnx_run import OnnxNetwork
from fit.timeline import Event, Frame
from lightning_modules.base import StyleMethod
from lightning_modules.checkpoint_file import CheckpointError
from lightning_modules.checkpoint_folder import newest_good
from lightning_modules.loading import load_method

# Repaints (N, 3, H, W) in [-1, 1], any H and W.
Paint = Callable[[Tensor], Tensor]


def load_paint(checkpoint: Path, device: str = "cpu") -> Paint:
    """The averaged generator of a checkpoint or of an ``.onnx`` file of ``fit.export``, for frames of any size.

    Raises:
        CheckpointError: this is no checkpoint of a method, or it is damaged; names an undamaged one of the same run.
        OnnxError: this is no exported network, or it is damaged, or a package for it is missing.
    """
    if is_onnx(checkpoint):
        network = OnnxNetwork(checkpoint, device)
        return at_any_size(network, network.description.size_multiple, network.description.min_size)
    method = load_whole(checkpoint, device)
    return at_any_size(method.stylize, method.size_multiple, method.min_size)


def load_whole(checkpoint: Path, device: str = "cpu") -> StyleMethod:
    """The method a checkpoint holds.

    Raises:
        CheckpointError: as ``load_paint``.
    """
    try:
        return load_method(checkpoint, map_location=device).to(device).eval()
    except CheckpointError as error:
        raise CheckpointError(f"{error}{instead_of(checkpoint)}") from error


def instead_of(checkpoint: Path) -> str:
    """The newest undamaged checkpoint beside one that cannot be used, as the end of a sentence."""
    with suppress(CheckpointError):
        if found := newest_good(checkpoint.parent):
            return "" if checkpoint.resolve() == found[0].resolve() else f"; {found[0]} is undamaged"
    return ""


def at_any_size(paint: Paint, size_multiple: int, min_size: int) -> Paint:
    """Let a network that takes certain sizes take all: mirror the frame onwards at its right and bottom, cut that off after.

    Args:
        paint: repaints frames whose sides are multiples of ``size_multiple`` and at least ``min_size``.
        size_multiple: of both sides.
        min_size: of both sides.
    """

    def grown(side: int) -> int:
        return -(-max(side, min_size) // size_multiple) * size_multiple

    def paint_any(frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        rows, columns = mirrored(height, grown(height)).to(frames.device), mirrored(width, grown(width)).to(frames.device)
        return paint(frames[..., rows[:, None], columns])[..., :height, :width]

    return paint_any


def mirrored(length: int, size: int) -> Tensor:
    """Indices that continue 0 .. length - 1 to ``size`` by going back and forth, the ends not repeated.

    Unlike torch's reflection padding this may go further than the length, down to a single row.
    """
    period = max(1, 2 * (length - 1))
    index = torch.arange(size) % period
    return torch.minimum(index, period - index)


def repaint(events: Iterable[Event], paint: Paint, batch: int = 1, device: str = "cpu") -> Iterator[Event]:
    """Repaint the frames among the events; let the others through.

    At most ``batch`` frames are held at any time, and painted together.
    """
    waiting: list[Frame] = []
    for event in events:
        if not isinstance(event, Frame):
            yield event
            continue
        if waiting and waiting[0].rgb.shape != event.rgb.shape:
            yield from _painted(waiting, paint, device)
            waiting = []
        waiting.append(event)
        if len(waiting) == batch:
            yield from _painted(waiting, paint, device)
            waiting = []
    yield from _painted(waiting, paint, device)


def _painted(frames: list[Frame], paint: Paint, device: str) -> Iterator[Frame]:
    if not frames:
        return
    pixels = torch.from_numpy(np.stack([frame.rgb for frame in frames])).to(device)
    with torch.inference_mode():
        painted = paint(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1)
    for frame, rgb in zip(frames, to_pixels(painted), strict=True):
        yield replace(frame, rgb=rgb)


def to_pixels(frames: Tensor) -> Pixels:
    """``(N, 3, H, W)`` in [-1, 1] to ``(N, H, W, 3)`` in [0, 255], rounded to the nearest."""
    pixels: Pixels = ((frames.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels
