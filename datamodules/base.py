"""The LightningDataModule all sources share: loaders, and the work done on the device."""

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from datamodules.batch import ClipBatch, Clips, collate
from datamodules.failures import Failures
from datamodules.loading import ClipLoader, begin
from datamodules.random import Draw, rng
from datamodules.sampling import DrawSampler, Unpaired, Validation
from datamodules.source import ClipSource, Split
from datamodules.transforms import ClipTransform


def unmet(*rules: tuple[str, object, str, bool]) -> list[str]:
    """What to tell about options: (name, value, what it must be, whether it is)."""
    return [f"{name} must be {rule}, got {value}" for name, value, rule, good in rules if not good]


class ClipDataModule(LightningDataModule, ABC):
    """Loaders of unpaired clips; a source says only where the clips of each domain come from.

    Args:
        size: (height, width) of the training clips in pixels.
        frames: frames in a clip, >= 1.
        batch_size: clips of each domain in a batch on one device, >= 1.
        workers: loader processes, >= 0.
        seed: of all random choices on the input side, >= 0.
        flip: probability of a horizontal flip.
        jitter: strength of the random change of brightness, contrast, saturation and hue of the content, in [0, 1].
        batches_per_epoch: batches in an epoch of one device; 0 takes every content clip once.
        max_failed: largest share of the clips of a domain that may prove unreadable while training, in [0, 1].

    Raises:
        ValueError: options out of range, all of them in one message.
    """

    def __init__(
        self,
        size: tuple[int, int] = (128, 128),
        frames: int = 3,
        batch_size: int = 2,
        workers: int = 1,
        seed: int = 0,
        flip: float = 0.5,
        jitter: float = 0.3,
        batches_per_epoch: int = 0,
        max_failed: float = 0.05,
    ) -> None:
        super().__init__()
        problems = unmet(
            ("size", size, "two positive sides", min(size) > 0),
            ("frames", frames, ">= 1", frames >= 1),
            ("batch_size", batch_size, ">= 1", batch_size >= 1),
            ("workers", workers, ">= 0", workers >= 0),
            ("seed", seed, ">= 0", seed >= 0),
            ("flip", flip, "a probability", 0 <= flip <= 1),
            ("jitter", jitter, "in [0, 1]", 0 <= jitter <= 1),
            ("batches_per_epoch", batches_per_epoch, ">= 0", batches_per_epoch >= 0),
            ("max_failed", max_failed, "in [0, 1]", 0 <= max_failed <= 1),
        )
        problems += self.problems()
        if problems:
            raise ValueError(f"{type(self).__name__}: " + "; ".join(problems))
        self.size, self.frames, self.batch_size, self.workers, self.seed = size, frames, batch_size, workers, seed
        self.batches_per_epoch = batches_per_epoch
        self.resumed_at: int | None = None  # samples of all devices
        self.ahead = 0  # batches of this size in those samples, beyond the batches Lightning has counted
        self.transform, self.failures = ClipTransform(size, flip, jitter), Failures(max_failed)

    def problems(self) -> list[str]:
        """What is wrong with a source's own options. It stores them before it calls this class's constructor."""
        return []

    @property
    def load_size(self) -> tuple[int, int]:
        """(height, width) of the clips a source delivers: an eighth larger than ``size``, to leave room for the random crop."""
        return (self.size[0] * 9 // 8, self.size[1] * 9 // 8)

    @abstractmethod
    def content_clips(self, split: Split) -> ClipSource:
        """The clips to be repainted."""

    @abstractmethod
    def style_clips(self, split: Split) -> ClipSource:
        """The clips that show the style."""

    def setup(self, stage: str | None = None) -> None:
        """Open the sources; errors about folders are raised here, before any work."""
        if not hasattr(self, "train"):
            content, style = self.content_clips("train"), self.style_clips("train")
            ranks = self.trainer.world_size if self.trainer else 1
            batches = self.batches_per_epoch or max(1, len(content) // (self.batch_size * ranks))
            self.train = Unpaired(content, style, batches * self.batch_size * ranks)
            self.val = Validation(self.content_clips("val"), self.style_clips("val"), self.seed)

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles, by the ids that batches carry; known after ``setup``."""
        return self.train.style.styles

    def batches_done(self) -> int:
        """Training batches each device has worked on, before a resume as well; those fetched ahead do not count."""
        # Lightning's own total_batch_idx counts a batch twice that was fetched before a checkpoint and worked on after it.
        done: int = cast(Any, self.trainer).fit_loop.epoch_loop.batch_progress.total.processed if self.trainer else 0
        return done + self.ahead

    @property
    def together(self) -> int:
        """Samples in a batch of all devices."""
        return self.batch_size * (self.trainer.world_size if self.trainer else 1)

    def state_dict(self) -> dict[str, int]:
        """Samples the run has worked on, whatever the size of its batches."""
        return {"samples": self.batches_done() * self.together}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The reverse."""
        self.resumed_at = state_dict["samples"]

    def train_dataloader(self) -> DataLoader[ClipBatch]:
        """Batches of the training split, reproducible for any number of workers; after a resume those not worked on yet."""
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if self.resumed_at is not None:  # with other batches, their number is another
            self.ahead = self.resumed_at // self.together - (self.batches_done() - self.ahead)
            self.resumed_at = None
        batches = len(self.train) // self.together
        sampler = DrawSampler(self.seed, batches, self.batch_size, rank, ranks, self.batches_done)
        return self._loader(self.train, sampler=sampler, persistent_workers=self.workers > 0)

    def val_dataloader(self) -> DataLoader[ClipBatch]:
        """Fixed clips never trained on."""
        return self._loader(self.val)

    def _loader(self, dataset: Dataset[ClipBatch], **options: Any) -> DataLoader[ClipBatch]:
        return ClipLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=begin,
            **options,
        )

    def on_after_batch_transfer(self, batch: ClipBatch, dataloader_idx: int) -> ClipBatch:
        """On the device: uint8 to float, then, in training, one random change for each clip.

        Raises:
            DataError: more clips than ``max_failed`` allows could not be read.
        """
        self.failures.take(batch.failed)
        training = self.trainer is not None and self.trainer.training
        draws = batch.draws if training else None
        content = self._changed("content", batch.content, draws)
        return batch._replace(content=content, style=self._changed("style", batch.style, draws))

    def _changed(self, domain: str, clips: Clips, draws: tuple[Draw, ...] | None) -> Clips:
        sources = None if draws is None else [rng(seed, f"{domain} transform", epoch, index) for seed, epoch, index in draws]
        return self.transform(clips, sources, colour=domain == "content")
