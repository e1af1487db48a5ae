"""A training step of image CycleGAN with the options for speed and memory, each against eager float32, in turn."""

import argparse
from functools import partial
from statistics import median
from typing import Literal, NamedTuple

import torch
from lightning import Callback
from torch import Tensor

from fit.bench_memory import Kept
from fit.bench_step import now, plain_cyclegan, train
from fit.hardware import native_bf16, place
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.generators.resnet import ResNetGenerator

MIB = 2**20


class Variant(NamedTuple):
    """How to compute a step."""

    bf16: bool
    compile: Literal["none", "all"]
    checkpointing: bool

    def __str__(self) -> str:
        how = "eager" if self.compile == "none" else "compiled"
        return f"{how} {'bfloat16' if self.bf16 else 'float32'}{', checkpointing' if self.checkpointing else ''}"

    def build(self) -> CycleGAN:
        """The method, with the same weights for every variant."""
        torch.manual_seed(0)
        return plain_cyclegan(partial(ResNetGenerator, checkpointing=self.checkpointing), compile=self.compile)


class Durations(Callback):
    """Seconds of every step; what Lightning does between two counts as the earlier one's."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def on_train_batch_start(self, *_: object) -> None:
        """A step begins, and the one before ends."""
        self.moments.append(now())

    def on_train_end(self, *_: object) -> None:
        """The last step ends."""
        self.moments.append(now())

    @property
    def last(self) -> float:
        """Of the last step."""
        return self.moments[-1] - self.moments[-2]


def variants(bf16: bool) -> list[Variant]:
    """Eager float32 first; bfloat16 where the machine computes in it."""
    ways = dict.fromkeys([Variant(False, "none", False), Variant(bf16, "none", False), Variant(bf16, "all", False)])
    return [way._replace(checkpointing=on) for way in ways for on in (False, True)]


def go_on(method: CycleGAN, variant: Variant, x: Tensor, y: Tensor, steps: int) -> float:
    """Train for further steps.

    Returns:
        Seconds of the last.
    """
    method.steps = method.generator_step + steps
    durations = Durations()
    train(method, x, y, variant.bf16, durations)
    return durations.last


def memory(method: CycleGAN, variant: Variant, x: Tensor, y: Tensor) -> int:
    """Bytes a step needs at most: allocated on a GPU, kept by autograd on a CPU."""
    if x.is_cuda:
        torch.cuda.reset_peak_memory_stats()
        go_on(method, variant, x, y, 1)
        return torch.cuda.max_memory_allocated()
    kept = Kept(method.parameters())
    with kept.counting():
        go_on(method, variant, x, y, 1)
    return kept.peak


def options(given: argparse.Namespace) -> None:
    """Print time and memory of one training step for each variant."""
    size, repeats = given.size, given.repeats
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = variants(native_bf16(device.type))
    with torch.device("meta"):  # shapes alone, before any work
        shapes = rows[0].build()
        shapes.refuse(shapes.clip_problems((size, size), 1))
    methods = {variant: variant.build() for variant in rows}
    x, y = torch.rand(2, 1, 3, size, size, device=device) * 2 - 1
    needed = {variant: memory(method, variant, x, y) for variant, method in methods.items()}  # compiles, too
    seconds: dict[Variant, list[float]] = {variant: [] for variant in methods}
    for _ in range(repeats):
        for variant, method in methods.items():
            seconds[variant].append(go_on(method, variant, x, y, 2))  # the first warms up
    report(f"{size}x{size}, batch 1; {place(device)}; {repeats} of each, in turn", seconds, needed, device)


def report(title: str, seconds: dict[Variant, list[float]], needed: dict[Variant, int], device: torch.device) -> None:
    """Print the table, with ratios to its first row."""
    print(f"One training step of CycleGAN: ResNet-9, PatchGAN, {title}")
    print(f"{'':34}{'seconds':>9}{'ratio':>7}{'MiB':>9}{'ratio':>7}")
    eager = next(iter(seconds))
    for variant, times in seconds.items():
        faster, less = median(times) / median(seconds[eager]), needed[variant] / needed[eager]
        print(f"{variant!s:34}{median(times):9.3f}{faster:7.2f}{needed[variant] / MIB:9.1f}{less:7.2f}")
    kind = "allocated" if device.type == "cuda" else "that autograd keeps for backward passes, weights aside"
    print(f"MiB: the most {kind}, in a step")
