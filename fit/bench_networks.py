"""What a network costs that repaints frames one at a time, against the usual one of the same job."""

from statistics import median

import torch

from fit.bench_transformer import TransformerNet
from fit.evaluation.cost import multiply_adds, now, parameters, speed
from fit.evaluation.one_frame import Size
from fit.stream import AnySize, Paint
from lightning_modules.base import StyleMethod

SIDE, TIMES = 2048, 5  # of the squares multiplied for the machine's peak, and how often


def networks(method: StyleMethod, size: Size, seconds: float, device: str) -> None:
    """Print speed and cost of both, and how much of what the machine can compute they use."""
    usual, own = TransformerNet().to(device).eval(), method.stylizer()
    rows: list[tuple[str, Paint, int]] = [
        (type(own).__name__, AnySize(method.stylize, method.size_multiple, method.min_size), parameters(own)),
        ("TransformerNet, the usual one", AnySize(usual, 4, 8), parameters(usual)),
    ]
    peak, half = (matrix_peak(kind, device) for kind in (torch.float32, torch.bfloat16))
    print(f"matrix product, {SIDE} square: {peak / 1e9:.1f} GMAC/s in float32, {half / 1e9:.1f} in bfloat16")
    columns = ("frames/s", "p50 ms", "p95 ms", "parameters", "GMAC", "of float32 peak")
    print(f"{'network, one frame at a time':34}" + "".join(f"{column:>{len(column) + 3}}" for column in columns))
    rates = []
    for name, paint, learned in rows:
        took, work = speed(paint, size, device, seconds), multiply_adds(paint, size, device)
        rate = took.frames_per_second
        share = f"{100 * work * rate / peak:.0f} %"
        print(f"{name:34}{rate:11.2f}{1000 / rate:9.1f}{took.p95:9.1f}{learned:13,}{work / 1e9:7.2f}{share:>18}", flush=True)
        rates.append(rate)
    print(f"ratio of the speeds: {rates[0] / rates[1]:.1f}")


def matrix_peak(kind: torch.dtype, device: str) -> float:
    """Multiply-adds a second of a large matrix product, the median of a few: about the most the machine computes."""
    a, b = torch.randn(2, SIDE, SIDE, device=device).to(kind)
    a @ b  # warms up
    took = []
    for _ in range(TIMES):
        began = now(a.device)
        a @ b
        took.append(now(a.device) - began)
    return SIDE**3 / median(took)
