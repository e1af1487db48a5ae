"""How long training waits for the loader: with a step that only sleeps, and in a real run."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from lightning import Callback, LightningModule, Trainer

from datamodules.base import ClipDataModule
from datamodules.moving_scenes import PHOTOGRAPHS, photograph
from datamodules.video_folder import VideoFolder
from datamodules.vimeo90k import Vimeo90K
from fit.run import trainer
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.cyclegan import CycleGAN

SIDE, BATCH, WORKERS, STEP = 256, 4, 2, 0.1
REAL_STEPS = 20  # of a real run; the second half counts


def waiting(roots: Mapping[str, Path], style: Path | None, videos: Path | None, frames: int, steps: int) -> None:
    """Print the share of the time that each source keeps training waiting.

    Args:
        roots: folders for ``Vimeo90K``, by what to call them.
        style: folder of pictures or videos; None takes photographs.
        videos: folder of videos, or None.
        frames: of a clip.
        steps: batches to take from each.
    """
    with tempfile.TemporaryDirectory() as folder:
        look = str(style or photographs(Path(folder)))
        options: dict[str, Any] = {"style": look, "frames": frames, "batches_per_epoch": steps, "workers": WORKERS}
        large: dict[str, Any] = {"size": (SIDE, SIDE), "batch_size": BATCH, **options}
        sources: dict[str, ClipDataModule] = {name: Vimeo90K(root=str(root), **large) for name, root in roots.items()}
        if videos:
            sources["videos"] = VideoFolder(root=str(videos), **large)
        print(f"\nLoader: {WORKERS} workers, {BATCH} clips of {frames}x{SIDE}x{SIDE}, {steps} steps that sleep {STEP:.1f} s")
        print(f"{'':18}{'waiting':>9}{'clips/s without sleep':>23}")
        for name, source in sources.items():
            source.setup()
            share, rate = sleeping(source, STEP), BATCH * rate_of(source)
            print(f"{name:18}{share:9.1%}{rate:23.1f}")
        print(f"\nA run of the default method, 3x128x128, batch 2, {REAL_STEPS} steps")
        for name, root in roots.items():
            print(f"{name:18}{real(Vimeo90K(root=str(root), **options | {'frames': 3})):9.1%}")


def photographs(folder: Path) -> Path:
    """Write some pictures to take for a style."""
    for name in PHOTOGRAPHS["train"]:
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(photograph(name), cv2.COLOR_RGB2BGR))
    return folder


def sleeping(source: ClipDataModule, step: float) -> float:
    """Share of an epoch that is waited if each batch takes ``step`` seconds; not of the first batch, which warms up."""
    loader: Any = source.train_dataloader()
    batches = iter(loader)
    next(batches)
    time.sleep(step)
    began, before = time.perf_counter(), loader.waited
    for _ in batches:
        time.sleep(step)
    return float((loader.waited - before) / (time.perf_counter() - began))


def rate_of(source: ClipDataModule) -> float:
    """Batches per second if nobody keeps the loader waiting."""
    loader = source.train_dataloader()
    batches = iter(loader)
    next(batches)
    began = time.perf_counter()
    count = sum(1 for _ in batches)
    return count / (time.perf_counter() - began)


class Last(Callback):
    """Keeps what ``Throughput`` measured last."""

    waiting = 0.0

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The end of the run."""
        self.waiting = float(trainer.callback_metrics["throughput/waiting"])


def real(source: ClipDataModule) -> float:
    """The share of a short run of the default method that is spent waiting."""
    torch.manual_seed(0)
    last = Last()
    run = trainer(logger=[], callbacks=[Throughput(), last], log_every_n_steps=REAL_STEPS // 2)
    run.fit(CycleGAN(steps=REAL_STEPS), datamodule=source)
    return last.waiting
