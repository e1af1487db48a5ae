"""One frame to measure with, and painting it as ``fit.stylize`` does."""

import torch
from torch import Tensor

from fit.stream import Paint

Size = tuple[int, int]


def random_frame(size: Size, device: str) -> Tensor:
    """Noise ``(1, 3, H, W)`` in [-1, 1], channels-last, as the frames of ``fit.stylize`` lie.

    Args:
        size: (height, width).
        device: where to put it: cpu, cuda, cuda:1, ...

    Raises:
        ValueError: an impossible size, or a device that is not there, has no room, or cannot be measured.
    """
    height, width = size
    if min(size) < 1:
        raise ValueError(f"size: expected height and width of at least 1, got {height}x{width}")
    try:
        frame = torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(0)).mul_(2).sub_(1).to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{height}x{width} on {device}: expected a device that is there, with room: {reason}") from error
    if frame.device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: expected cpu or cuda, whose time and memory can be measured, got {device}")
    return frame.permute(0, 3, 1, 2)


def paint_frame(paint: Paint, frame: Tensor) -> Tensor:
    """Paint one frame as ``fit.stylize`` does.

    Raises:
        ValueError: it cannot be painted, or comes out with another shape.
    """
    try:
        with torch.inference_mode():
            painted = paint(frame)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{_words(frame)}: expected a frame that can be painted, got the error: {reason}") from error
    if painted.shape != frame.shape:
        raise ValueError(f"{_words(frame)}: expected a painted frame of {tuple(frame.shape)}, got {tuple(painted.shape)}")
    return painted


def _words(frame: Tensor) -> str:
    return f"{frame.shape[-2]}x{frame.shape[-1]} on {frame.device}"
