"""Checkpoint to painted frames: frames go in one after the other and come out repainted, at the size they had."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.pictures import Pixels
from fit.onnx_file import is_onnx
from fit.onnx_run import OnnxNetwork
from fit.pipeline import side_by_side
from fit.timeline import Event, Frame
from lightning_modules.base import StyleMethod
from lightning_modules.checkpoint_file import CheckpointError
from lightning_modules.checkpoint_folder import newest_good
from lightning_modules.generators.base import Generator as Network
from lightning_modules.loading import load_method
from lightning_modules.ops.compilation import compile_in_place

# Repaints (N, 3, H, W) in [-1, 1], any H and W; or bytes of planes, see ``Frame``.
Paint = Callable[[Tensor], Tensor]
MOST_SOUND = 64  # packets that wait with the frames of a group


def load_paint(checkpoint: Path, device: str = "cpu", threads: int | None = None, compiled: bool = False) -> Paint:
    """The averaged generator of a checkpoint or of an ``.onnx`` file of ``fit.export``, for frames of any size.

    Args:
        checkpoint: its path.
        device: where to paint.
        threads: with which ONNX Runtime computes, which does not follow torch's; see ``OnnxNetwork``.
        compiled: see ``whole``; a checkpoint's.

    Raises:
        CheckpointError: this is no checkpoint of a method, or it is damaged; names an undamaged one of the same run.
        OnnxError: this is no exported network, or it is damaged, or a package for it is missing.
        ValueError: it shall be compiled, which does not work on this machine.
    """
    if is_onnx(checkpoint):
        network = OnnxNetwork(checkpoint, device, threads)
        return AnySize(network, network.description.size_multiple, network.description.min_size)
    return whole(load_whole(checkpoint, device), compiled)


def whole(method: StyleMethod, compiled: bool = False) -> "AnySize":
    """What paints with a method's averaged generator.

    Args:
        method: evaluated.
        compiled: translate it to machine code when it is first used on frames of a size.

    Raises:
        ValueError: compiling does not work on this machine.
    """
    network = method.stylizer()
    if compiled:
        compile_in_place([network], next(network.parameters()).device)
    return AnySize(method.stylize, method.size_multiple, method.min_size, network, compiled)


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


class AnySize:
    """Let a network that takes certain sizes take all: mirror the frame onwards at its right and bottom, cut that off after.

    Args:
        paint: repaints frames whose sides are multiples of ``size_multiple`` and at least ``min_size``.
        size_multiple: of both sides.
        min_size: of both sides.
        network: the generator that ``paint`` is, if it is one, for those who know a shorter way with it.
        compiled: whether it is compiled, and the shorter way shall be.
    """

    def __init__(
        self, paint: Paint, size_multiple: int, min_size: int, network: Network | None = None, compiled: bool = False
    ) -> None:
        self.paint, self.size_multiple, self.min_size, self.network = paint, size_multiple, min_size, network
        self.compiled = compiled

    def __call__(self, frames: Tensor) -> Tensor:
        """Repaint ``(N, 3, H, W)`` in [-1, 1]."""
        height, width = frames.shape[-2:]
        return self.paint(continued(frames, self.size_multiple, self.min_size))[..., :height, :width]


def continued(frames: Tensor, multiple: int, least: int) -> Tensor:
    """Frames ``(..., H, W)`` mirrored onwards until both sides are multiples of ``multiple`` and at least ``least``."""
    (height, width), grown = frames.shape[-2:], [-(-max(side, least) // multiple) * multiple for side in frames.shape[-2:]]
    if grown == [height, width]:
        return frames
    rows, columns = (mirrored(*sides).to(frames.device) for sides in zip((height, width), grown, strict=True))
    return frames[..., rows[:, None], columns]


def mirrored(length: int, size: int) -> Tensor:
    """Indices that continue 0 .. length - 1 to ``size`` by going back and forth, the ends not repeated.

    Unlike torch's reflection padding this may go further than the length, down to a single row.
    """
    period = max(1, 2 * (length - 1))
    index = torch.arange(size) % period
    return torch.minimum(index, period - index)


def repaint(
    events: Iterable[Event], paint: Paint, batch: int = 1, device: str = "cpu", workers: int = 0, threads: int = 1
) -> Generator[Event]:
    """Repaint the frames among the events, in their order; let the others through.

    At most ``batch`` frames are held at any time, and painted together; twice that for each of ``workers``.

    Args:
        events: frames and sound.
        paint: see ``Paint``; where there are workers, called by several threads at the same time.
        batch: frames painted together.
        device: where they are painted.
        workers: threads that paint beside the one that takes the frames; 0 leaves it to that.
        threads: with which torch computes in each of them, on a CPU.
    """

    def painted(group: list[Event]) -> list[Event]:
        return _painted(group, paint, device)

    groups = in_groups(events, batch)
    if not workers:
        for group in groups:
            yield from painted(group)
        return
    usual = torch.get_num_threads()
    try:
        for done in side_by_side(painted, groups, workers, lambda: prepare(device, threads)):
            yield from done
    finally:
        torch.set_num_threads(usual)  # of the threads that come after; the one that runs this has kept its own


def in_groups(events: Iterable[Event], batch: int) -> Iterator[list[Event]]:
    """Events in order, in groups of ``batch`` frames of one size with the sound before and between them, if not too much."""
    group: list[Event] = []
    frames: list[Frame] = []
    for event in events:
        if isinstance(event, Frame):
            if frames and frames[0].pixels.shape != event.pixels.shape:
                yield group
                group, frames = [], []
            frames.append(event)
        group.append(event)
        if len(frames) == batch or len(group) - len(frames) == MOST_SOUND:
            yield group
            group, frames = [], []
    if group:
        yield group


def _painted(group: list[Event], paint: Paint, device: str) -> list[Event]:
    """The events with their frames, all of one size and form, repainted."""
    frames = [event.pixels for event in group if isinstance(event, Frame)]
    if not frames:
        return group
    with torch.inference_mode():
        given = to_device(frames, device)
        painted = paint(given) if given.dim() == 3 else to_bytes(paint(to_numbers(given)))
        pixels = iter(from_device(painted))
    return [replace(event, pixels=next(pixels)) if isinstance(event, Frame) else event for event in group]


def prepare(device: str, threads: int) -> None:
    """Set up a thread to paint beside others: with a queue of its own on a GPU, so that one copies while another paints."""
    if torch.device(device).type == "cuda":
        torch.cuda.set_stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
    else:
        torch.set_num_threads(threads)


def to_device(frames: Sequence[Pixels], device: str = "cpu") -> Tensor:
    """Frames of one shape, as one tensor of bytes."""
    pixels = torch.from_numpy(frames[0][None] if len(frames) == 1 else np.stack(frames))
    if torch.device(device).type == "cuda":
        pixels = pixels.pin_memory().to(device, non_blocking=True)
    return pixels


def from_device(painted: Tensor) -> Pixels:
    """The reverse."""
    if painted.is_cuda:
        arrived = torch.empty(painted.shape, dtype=torch.uint8, pin_memory=True).copy_(painted, non_blocking=True)
        torch.cuda.current_stream(painted.device).synchronize()
        painted = arrived
    pixels: Pixels = painted.cpu().numpy()
    return pixels


def to_numbers(pixels: Tensor) -> Tensor:
    """Bytes ``(N, H, W, 3)`` to ``(N, 3, H, W)`` in [-1, 1], channels-last as they lie."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_bytes(frames: Tensor) -> Tensor:
    """``(N, 3, H, W)`` in [-1, 1] to bytes ``(N, H, W, 3)``, rounded to the nearest."""
    # Whole numbers by cutting off after adding a half: a pass over the frames less than rounding.
    return frames.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
