"""A training step of image CycleGAN as this project does it, against the usual eager loop, in turn."""

import argparse
import copy
import time
from collections.abc import Callable
from itertools import chain
from statistics import median
from typing import Any, Literal

import torch
import torch.nn.functional as F
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader

from datamodules.batch import ClipBatch, Clips
from fit.hardware import native_bf16, place
from fit.run import trainer
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.base import Discriminator
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.generators.base import Generator
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.ops.layers import InstanceNorm2d, PaddedConv2d
from lightning_modules.pool import Pool
from lightning_modules.slots import Slots

CYCLE, IDENTITY = 10.0, 5.0  # weights, as published
RATE, BETAS = 2e-4, (0.5, 0.999)


def plain_cyclegan(
    generator: Callable[[], Generator] = ResNetGenerator,
    critic: Callable[[], Discriminator] = PatchGAN,
    pool: int = 50,
    steps: int = 1,
    compile: Literal["none", "all"] = "none",
) -> CycleGAN:
    """CycleGAN of images as published."""
    return CycleGAN(
        generator=generator,
        image_critic=critic,
        temporal_critic=None,
        image_weight=1.0,
        steps=steps,
        adversarial="lsgan",
        cycle_weight=CYCLE,
        identity_weight=IDENTITY,
        temporal_weight=0.0,
        palette_weight=0.0,
        texture_weight=0.0,
        random_gram_weight=0.0,
        tone_weight=0.0,
        pool=pool,
        lr=RATE,
        critic_lr=RATE,
        betas=BETAS,
        constant=1.0,
        compile=compile,
    )


class EagerLoop:
    """The step as it is usually written: float32, contiguous, every network called for one picture after the other.

    Args:
        method: whose networks to copy.
        device: where to compute.
    """

    def __init__(self, method: CycleGAN, device: torch.device) -> None:
        def copied(network: nn.Module) -> nn.Module:
            return with_torchs_layers(network).to(device, memory_format=torch.contiguous_format)  # type: ignore[call-overload]

        self.to_style, self.to_content = copied(method.to_style), copied(method.to_content)
        self.style_critic, self.content_critic = (copied(c.network) for c in (method.style_critic, method.content_critic))
        self.pools = [Pool(method.style_critic.pool.size) for _ in range(2)]
        self.steps = 0
        generators = chain(self.to_style.parameters(), self.to_content.parameters())
        critics = chain(self.style_critic.parameters(), self.content_critic.parameters())
        self.generators_adam, self.critics_adam = (Adam(parameters, RATE, BETAS) for parameters in (generators, critics))

    def step(self, x: Tensor, y: Tensor) -> None:
        """Update the generators, then the critics.

        Args:
            x: content ``(B, 3, H, W)`` in [-1, 1].
            y: style, the same shape.
        """
        painting, photograph = self.to_style(x), self.to_content(y)
        x_again, y_again = self.to_content(painting), self.to_style(photograph)
        x_kept, y_kept = self.to_content(x), self.to_style(y)

        self.let_critics_learn(False)
        self.generators_adam.zero_grad()
        deceived = (self.style_critic(painting) - 1).square().mean() + (self.content_critic(photograph) - 1).square().mean()
        cycle = F.l1_loss(x_again, x) + F.l1_loss(y_again, y)
        identity = F.l1_loss(x_kept, x) + F.l1_loss(y_kept, y)
        (deceived + CYCLE * cycle + IDENTITY * identity).backward()
        self.generators_adam.step()

        self.let_critics_learn(True)
        self.critics_adam.zero_grad()
        sides = ((self.style_critic, painting, y), (self.content_critic, photograph, x))
        for (critic, painted, real), pool in zip(sides, self.pools, strict=True):
            shown = pool(painted, Slots(0, self.steps, len(painted)))
            ((critic(real) - 1).square().mean() + critic(shown).square().mean()).backward()
        self.critics_adam.step()
        self.steps += 1

    def let_critics_learn(self, on: bool) -> None:
        """Whether backward passes reach the critics' weights."""
        for critic in (self.style_critic, self.content_critic):
            critic.requires_grad_(on)


def with_torchs_layers(network: nn.Module) -> nn.Module:
    """A copy of a network, with the layers of torch that ours stand for."""
    network = copy.deepcopy(network)
    for name, layer in list(network.named_modules()):
        if isinstance(layer, PaddedConv2d):
            kernel, border = layer.kernel_size[0], layer.padding_mode
            torchs = nn.Conv2d(layer.in_channels, layer.out_channels, kernel, padding=kernel // 2, padding_mode=border)
            torchs.load_state_dict(layer.state_dict())
            network.set_submodule(name, torchs)
        elif isinstance(layer, InstanceNorm2d):
            network.set_submodule(name, nn.InstanceNorm2d(layer.num_features, layer.eps))
    return network


class Alternate(Callback):
    """Runs a step of the eager loop before each batch and times both. What Lightning does between batches counts as ours.

    Args:
        loop: the eager loop.
    """

    def __init__(self, loop: EagerLoop) -> None:
        self.loop = loop
        self.eager: list[float] = []
        self.ours: list[float] = []
        self.started: float | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: ClipBatch, batch_idx: int) -> None:
        """Ours has ended; the loop's turn, then ours again."""
        self._ours_ended()
        began = now()
        self.loop.step(batch.content.frames[:, 0], batch.style.frames[:, 0])
        self.started = now()
        self.eager.append(self.started - began)

    def on_train_end(self, *args: Any) -> None:
        """The last of ours has ended."""
        self._ours_ended()

    def _ours_ended(self) -> None:
        if self.started is not None:
            self.ours.append(now() - self.started)


def now() -> float:
    """Seconds, once the device has done what it was asked to."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def alternate(method: CycleGAN, loop: EagerLoop, x: Tensor, y: Tensor, bf16: bool) -> Alternate:
    """Train ``method`` for its steps on one pair ``(B, 3, H, W)`` as ``python -m fit`` does, in turn with the eager loop."""
    timing = Alternate(loop)
    train(method, x, y, bf16, timing)
    return timing


def train(method: CycleGAN, x: Tensor, y: Tensor, bf16: bool, timing: Callback) -> None:
    """Train ``method`` up to its last step on one pair ``(B, 3, H, W)`` as ``python -m fit`` does."""
    run = trainer(
        accelerator="gpu" if x.is_cuda else "cpu",
        precision="bf16-mixed" if bf16 else "32-true",
        logger=[],
        callbacks=[timing],
    )
    batches = [ClipBatch(Clips(x[:, None]), Clips(y[:, None]))] * (method.steps - method.generator_step)
    run.fit(method, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]


def step(options: argparse.Namespace) -> None:
    """Print the time of one training step, ours and the eager loop's."""
    size, repeats = options.size, options.repeats
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method, bf16 = plain_cyclegan(steps=repeats + 1), native_bf16(device.type)
    method.refuse(method.clip_problems((size, size), 1))
    x, y = torch.rand(2, 1, 3, size, size, device=device) * 2 - 1
    timing = alternate(method, EagerLoop(method, device), x, y, bf16)
    eager, ours = timing.eager[1:], timing.ours[1:]  # the first warms up

    how = f"{size}x{size}, batch 1; {place(device)}; {repeats} of each, in turn"
    print(f"One training step of CycleGAN: ResNet-9, PatchGAN, {how}")
    print(f"{'seconds':28}{'median':>8}{'fastest':>9}{'slowest':>9}")
    for name, seconds in (("eager loop, float32", eager), (f"this project, {'bfloat16' if bf16 else 'float32'}", ours)):
        print(f"{name:28}{median(seconds):8.3f}{min(seconds):9.3f}{max(seconds):9.3f}")
    print(f"ratio of the medians: {median(eager) / median(ours):.2f}")
