"""What painting costs: parameters, multiply-adds, time and memory, one frame at a time, as a player would ask for them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fit.evaluation.card import Fact
from fit.evaluation.memory import peak_memory
from fit.evaluation.one_frame import Size, paint_frame, random_frame
from fit.hardware import place
from fit.stream import AnySize, Paint
from lightning_modules.base import StyleMethod

SIZES: tuple[Size, ...] = ((256, 448), (720, 1280))
FRAMES, SECONDS = 200, 5.0  # timed at each size: so many frames, or as many as begin within so many seconds
WARM_UP_FRAMES, WARM_UP_SECONDS = 5, 1.0
FEW = 20  # below as many frames their 95th percentile is the slowest


@dataclass(frozen=True)
class Speed:
    """How fast frames are painted that come one at a time.

    Args:
        frames_per_second: one over the median time of a frame.
        p95: milliseconds that 95 % of the frames do not exceed; of fewer than 20 frames, those of the slowest.
        frames: how many were timed, >= 1.
    """

    frames_per_second: float
    p95: float
    frames: int


@dataclass(frozen=True)
class Cost:
    """What painting frames of one size costs.

    Args:
        size: of the frames, (height, width).
        place: what computed, in words.
        parameters: of the network; None where there is none.
        multiply_adds: of one frame, see ``multiply_adds``; 0 where torch does not compute.
        speed: see ``Speed``.
        memory: bytes, see ``peak_memory``; None where torch does not compute.
    """

    size: Size
    place: str
    parameters: int | None
    multiply_adds: int
    speed: Speed
    memory: int | None


def measure(
    painter: StyleMethod | Paint,
    sizes: Sequence[Size] = SIZES,
    device: str = "cpu",
    seconds: float = SECONDS,
    in_torch: bool = True,
) -> list[Cost]:
    """Measure a method's network, or anything else that paints.

    A network that takes longer than ``seconds`` for a frame paints three of each size: for multiply-adds, time and memory.

    Args:
        painter: a method that is on ``device``, whose averaged generator is measured on frames of any size, as ``fit.stylize``
            uses it; or a function.
        sizes: (height, width) of frames.
        device: where to compute: cpu, cuda, cuda:1, ...
        seconds: see ``speed``.
        in_torch: whether torch computes, and so can count multiply-adds and memory.

    Returns:
        One for each size.

    Raises:
        ValueError: an unknown device, or frames that the function does not take.
    """
    places = [place(random_frame(size, device).device) for size in sizes]  # and mistakes are found before any work
    learned, paint = None, painter
    if isinstance(painter, StyleMethod):
        learned = parameters(painter.stylizer())
        paint = AnySize(painter.stylize, painter.size_multiple, painter.min_size)
    return [
        Cost(
            size,
            where,
            learned,
            multiply_adds(paint, size, device) if in_torch else 0,
            speed(paint, size, device, seconds),
            peak_memory(paint, size, device) if in_torch else None,
        )
        for size, where in zip(sizes, places, strict=True)
    ]


def facts(costs: Sequence[Cost]) -> dict[str, Fact]:
    """Costs by names that say size and unit, to three digits; nothing that has no meaning, such as the parameters of a blur."""
    found: dict[str, Fact] = {}
    for cost in costs:
        at, timed = f"at {cost.size[0]}x{cost.size[1]}", cost.speed.frames
        if cost.parameters is not None:
            found["parameters"] = cost.parameters
        if cost.multiply_adds:
            found[f"giga multiply-adds {at}"] = _rounded(cost.multiply_adds / 1e9)
        found[f"frames/s {at}"] = _rounded(cost.speed.frames_per_second)
        p95 = _rounded(cost.speed.p95)
        found[f"p95 ms {at}"] = p95 if timed >= FEW else f"{p95:g} (slowest of {timed})"
        found[f"frames timed {at}"] = timed
        if cost.memory is not None:
            found[f"peak MiB {at}, beside weights and frame"] = _rounded(cost.memory / 2**20)
        found["measured on"] = cost.place
    return found


def parameters(module: nn.Module) -> int:
    """Numbers that can be learned; shared ones count once."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(paint: Paint, size: Size, device: str = "cpu") -> int:
    """Multiply-adds of convolutions and matrix products for one frame; norms, activations and resampling count nothing.

    Half of what torch's ``FlopCounterMode`` counts, for which a multiply-add is two operations. The frame is really painted.
    """
    frame = random_frame(size, device)
    with FlopCounterMode(display=False) as counter:
        paint_frame(paint, frame)
    return counter.get_total_flops() // 2


def speed(paint: Paint, size: Size, device: str = "cpu", seconds: float = SECONDS, frames: int = FRAMES) -> Speed:
    """Time frames that come one at a time, on the device before and after; the first few warm up and count nothing.

    One that takes longer than ``seconds`` (and than a second) is all there is, and counts: what warms up is little beside it.

    Args:
        paint: repaints ``(1, 3, H, W)`` in [-1, 1].
        size: (height, width) of the frames.
        device: where they are.
        seconds: after which no further frame begins; one is timed in any case.
        frames: after which to end, >= 1.
    """
    frame = random_frame(size, device)
    times = timed(paint, frame, WARM_UP_FRAMES, WARM_UP_SECONDS)
    if times[0] < max(seconds, WARM_UP_SECONDS):
        times = timed(paint, frame, frames, seconds)
    times.sort()
    nearest_rank = -(-95 * len(times) // 100)
    return Speed(1 / median(times), 1000 * times[nearest_rank - 1], len(times))


def timed(paint: Paint, frame: Tensor, frames: int, seconds: float) -> list[float]:
    """Seconds of one frame after the other, until so many are painted or that much time has passed; at least one."""
    times: list[float] = []
    while not times or (len(times) < frames and sum(times) < seconds):
        began = now(frame.device)
        paint_frame(paint, frame)
        times.append(now(frame.device) - began)
    return times


def now(device: torch.device) -> float:
    """Seconds, once the device has done what it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
