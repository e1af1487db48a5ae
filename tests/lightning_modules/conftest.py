"""Tiny methods and batches, so that a whole training step takes a few hundredths of a second."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from datamodules.batch import ClipBatch, Clips
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator

TINY = {
    "generator": partial(RealtimeGenerator, 24, 1, adaptive=True),
    "image_critic": partial(PatchGAN, 4, 1, "none"),
    "temporal_critic": partial(TemporalPatchGAN, 4, 2, "none"),
    "steps": 1000,
    "temporal_weight": 20.0,  # at its default it drowns the critics in runs of a few steps
    "palette_weight": 0.0,  # needs pictures of 28 pixels
    "texture_weight": 0.0,
    "random_gram_weight": 0.0,
}


def tiny_cyclegan(**options: object) -> CycleGAN:
    """The same initial weights every time."""
    torch.manual_seed(0)
    return CycleGAN(**(TINY | options))


def random_batches(count: int, size: int = 2, frames: int = 3, side: int = 16, flow: bool = True) -> list[ClipBatch]:
    """Noise; the content with flow of about a pixel and a random mask."""
    draws = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(count):
        content, style = (torch.rand(size, frames, 3, side, side, generator=draws) * 2 - 1 for _ in range(2))
        motion = torch.randn(size, frames - 1, 2, side, side, generator=draws)
        visible = (torch.rand(size, frames - 1, 1, side, side, generator=draws) < 0.8).float()
        batches.append(ClipBatch(Clips(content, motion, visible) if flow else Clips(content), Clips(0.5 * style)))
    return batches


def quiet_trainer(**options: object) -> Trainer:
    settings = {"max_epochs": 1, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    settings |= {"enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**(settings | options))


def train_on(
    method: LightningModule,
    batches: Sequence[ClipBatch],
    callbacks: Sequence[Callback] = (),
    ckpt_path: Path | None = None,
    **options: object,
) -> Trainer:
    """One pass over the batches."""
    trainer = quiet_trainer(callbacks=list(callbacks), **options)
    trainer.fit(method, DataLoader(batches, batch_size=None), ckpt_path=ckpt_path)
    return trainer


@pytest.fixture
def cyclegan() -> Callable[..., CycleGAN]:
    return tiny_cyclegan


@pytest.fixture
def batches() -> Callable[..., list[ClipBatch]]:
    return random_batches


@pytest.fixture
def train() -> Callable[..., Trainer]:
    return train_on
