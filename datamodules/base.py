"""The LightningDataModule all sources share: unpaired samples, exact sampling, loaders, and the work done on the device."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import cv2
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.batch import ClipBatch, Clips, collate
from datamodules.random import Draw, rng
from datamodules.transforms import ClipTransform

Split = Literal["train", "val"]


class ClipSource(ABC):
    """One domain: clips by number. Must be picklable and open nothing before its first clip."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of different clips, >= 1."""

    @abstractmethod
    def clip(self, draw: Draw) -> Clips:
        """Clip number ``draw.index``: frames ``(T, 3, H, W)`` uint8, all of one size, with flow where it is known.

        Whatever is random comes from ``rng(draw.seed, <stream>, draw.epoch, draw.index)``.
        """


class Unpaired(Dataset[ClipBatch]):
    """Joins a content clip and an independently chosen style clip. Indexed by ``Draw``; ``length`` samples an epoch."""

    def __init__(self, content: ClipSource, style: ClipSource, length: int) -> None:
        self.content, self.style, self.length = content, style, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, draw: Draw) -> ClipBatch:
        clips = []
        for name, source in (("content", self.content), ("style", self.style)):
            # Every clip of a domain is used equally often: pass after pass, each in a new order.
            turn, place = divmod(draw.epoch * self.length + draw.index, len(source))
            index = int(rng(draw.seed, f"{name} order", turn).permutation(len(source))[place])
            # The epoch given on counts passes through the source, so that no two passes draw alike.
            clips.append(source.clip(Draw(draw.seed, turn, index)))
        return ClipBatch(*clips)


class DrawSampler(Sampler[Draw]):
    """Names the samples of an epoch, those of this rank only.

    Global batch b holds samples b * ranks * batch_size and on; each rank takes its run of ``batch_size``. An incomplete last
    batch is left out.
    """

    def __init__(self, seed: int, length: int, batch_size: int, rank: int = 0, ranks: int = 1) -> None:
        self.seed, self.batch_size, self.rank, self.ranks = seed, batch_size, rank, ranks
        self.batches = length // (batch_size * ranks)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        for batch in range(self.batches):
            first = (batch * self.ranks + self.rank) * self.batch_size
            for index in range(first, first + self.batch_size):
                yield Draw(self.seed, self.epoch, index)


class Validation(Dataset[ClipBatch]):
    """The same samples every time: content clip i with style clip i, as index alone decides."""

    def __init__(self, content: ClipSource, style: ClipSource, seed: int) -> None:
        self.content, self.style, self.seed = content, style, seed

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, index: int) -> ClipBatch:
        return ClipBatch(
            self.content.clip(Draw(self.seed, 0, index)), self.style.clip(Draw(self.seed, 0, index % len(self.style)))
        )


def _single_thread(worker: int) -> None:
    # A forked OpenCV waits for ever for the threads of its parent; and workers are the parallelism here.
    cv2.setNumThreads(0)


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
        jitter: float = 0.2,
        batches_per_epoch: int = 0,
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
        )
        problems += self.problems()
        if problems:
            raise ValueError(f"{type(self).__name__}: " + "; ".join(problems))
        self.size, self.frames, self.batch_size, self.workers, self.seed = size, frames, batch_size, workers, seed
        self.batches_per_epoch = batches_per_epoch
        self.transform = ClipTransform(size, flip, jitter)

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

    def train_dataloader(self) -> DataLoader[ClipBatch]:
        """Batches of the training split, reproducible for any number of workers."""
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = DrawSampler(self.seed, len(self.train), self.batch_size, rank, ranks)
        return self._loader(self.train, sampler=sampler, persistent_workers=self.workers > 0)

    def val_dataloader(self) -> DataLoader[ClipBatch]:
        """Fixed clips never trained on."""
        return self._loader(self.val)

    def _loader(self, dataset: Dataset[ClipBatch], **options: Any) -> DataLoader[ClipBatch]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_single_thread,
            **options,
        )

    def on_after_batch_transfer(self, batch: ClipBatch, dataloader_idx: int) -> ClipBatch:
        """On the device: uint8 to float, then, in training, one random change for each clip."""
        training = self.trainer is not None and self.trainer.training
        step = self.trainer.fit_loop.total_batch_idx + 1 if self.trainer and training else 0
        rank = self.trainer.global_rank if self.trainer else 0
        clips = []
        for name, domain in (("content", batch.content), ("style", batch.style)):
            first, count = rank * self.batch_size, domain.frames.shape[0]
            draws = [rng(self.seed, f"{name} transform", step, first + i) for i in range(count)] if training else None
            clips.append(self.transform(domain, draws, colour=name == "content"))
        return ClipBatch(*clips)
