"""The networks forward and backward, with convolutions stored channels-last and contiguous, in turn."""

import argparse
import copy
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from fit.bench_step import now
from fit.hardware import native_bf16, place
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.ops.layout import channels_last

FRAMES = 5
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # and whether they take clips of FRAMES or single frames
    "ResNetGenerator": (ResNetGenerator, 1),
    "RealtimeGenerator": (RealtimeGenerator, 1),
    "PatchGAN": (PatchGAN, 1),
    "TemporalPatchGAN": (TemporalPatchGAN, FRAMES),
}


def seconds(network: nn.Module, frames: Tensor, dtype: torch.dtype) -> float:
    """Time of one forward and backward pass."""
    began = now()
    with torch.autocast(frames.device.type, dtype, enabled=dtype != torch.float32):
        loss = network(frames).float().square().mean()
    loss.backward()
    return now() - began


def ratio(build: Callable[[], nn.Module], frames: Tensor, dtype: torch.dtype, repeats: int) -> float:
    """Median time contiguous over that channels-last; above 1, channels-last is faster."""
    contiguous = build().to(frames.device)
    last = copy.deepcopy(contiguous)
    channels_last(last)
    times: dict[nn.Module, list[float]] = {contiguous: [], last: []}
    for _ in range(repeats + 1):
        for network, measured in times.items():
            measured.append(seconds(network, frames, dtype))
    return median(times[contiguous][1:]) / median(times[last][1:])  # the first warms up


def layout(given: argparse.Namespace) -> None:
    """Print how much faster channels-last is, network by network."""
    size, repeats = given.size, given.repeats
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    types = [torch.float32, *([torch.bfloat16] if native_bf16(device.type) else [])]
    how = f"{size}x{size}, batch 2; {place(device)}; {repeats} of each, in turn"
    print(f"Contiguous over channels-last, forward and backward, {how}")
    for name, (build, length) in NETWORKS.items():
        frames = torch.rand(2, *([length] if length > 1 else []), 3, size, size, device=device) * 2 - 1
        found = [f"{str(dtype).removeprefix('torch.')} {ratio(build, frames, dtype, repeats):.2f}" for dtype in types]
        print(f"{name:18}", *found, sep="  ")
