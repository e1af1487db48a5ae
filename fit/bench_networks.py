"""What a network costs that repaints frames one at a time, against the usual one of the same job."""

from statistics import median
from typing import cast

import torch
from torch import nn

from fit.bench_transformer import TransformerNet
from fit.evaluation.cost import multiply_adds, now, parameters, speed, timed
from fit.evaluation.one_frame import Size, random_frame
from fit.stream import AnySize

SIDE, TIMES = 2048, 5  # of the largest squares multiplied for the machine's peak, and how often
LONG = 0.1  # seconds for one product; CPUs that emulate bfloat16 would take most of a minute for the largest


def networks(paint: AnySize, size: Size, seconds: float, device: str) -> None:
    """Print speed and cost of both, and how much of what the machine can compute they use."""
    usual, own = TransformerNet().to(device).eval(), cast(nn.Module, paint.network)
    rows: list[tuple[str, AnySize, int]] = [
        (type(own).__name__, paint, parameters(own)),
        ("TransformerNet, the usual one", AnySize(usual, 4, 8), parameters(usual)),
    ]
    peak, half = (matrix_peak(kind, device) for kind in (torch.float32, torch.bfloat16))
    print(f"matrix product, up to {SIDE} square: {peak / 1e9:.1f} GMAC/s in float32, {half / 1e9:.1f} in bfloat16")
    columns = ("frames/s", "p50 ms", "p95 ms", "parameters", "GMAC", "of float32 peak")
    print(f"{'network, one frame at a time':34}" + "".join(f"{column:>{len(column) + 3}}" for column in columns))
    rates = []
    for name, paint, learned in rows:
        with torch.compiler.set_stance("force_eager"):  # compiled ones do not count
            work = multiply_adds(paint, size, device)
        if paint.compiled:
            timed(paint, random_frame(size, device), 1, seconds)  # translates it
        took = speed(paint, size, device, seconds)
        rate = took.frames_per_second
        share = f"{100 * work * rate / peak:.0f} %"
        print(f"{name:34}{rate:11.2f}{1000 / rate:9.1f}{took.p95:9.1f}{learned:13,}{work / 1e9:7.2f}{share:>18}", flush=True)
        rates.append(rate)
    print(f"ratio of the speeds: {rates[0] / rates[1]:.1f}")


def matrix_peak(kind: torch.dtype, device: str) -> float:
    """Multiply-adds a second of a large matrix product, the median of a few: about the most the machine computes."""
    side = min(256, SIDE)
    timed_product(side, kind, device)  # warms up
    while side < SIDE and timed_product(side, kind, device) < LONG:
        side *= 2
    return side**3 / median(timed_product(side, kind, device) for _ in range(TIMES))


def timed_product(side: int, kind: torch.dtype, device: str) -> float:
    """Seconds that the product of two squares takes."""
    a, b = torch.randn(2, side, side, device=device).to(kind)
    began = now(a.device)
    a @ b
    return now(a.device) - began
