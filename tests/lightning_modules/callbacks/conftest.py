"""A method and clips small enough to train in milliseconds, for the callbacks to watch."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningDataModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from datamodules.batch import ClipBatch, Clips, collate
from datamodules.loading import ClipLoader
from lightning_modules.base import StyleMethod
from lightning_modules.checkpoint_io import VerifiedCheckpoints
from lightning_modules.generators.base import Generator


class Tint(Generator):
    """One number for each colour."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3, 1, 1))

    def paint(self, frames: Tensor) -> Tensor:
        return (frames + self.shift).clamp(-1, 1)


class TintMethod(StyleMethod):
    """Learns the style's mean colour."""

    def __init__(self, steps: int = 4, n_critic: int = 1) -> None:
        super().__init__(steps, n_critic, accumulate=1, clip=0.0, constant=1.0, average_decay=0.9)
        self.tint = Tint()

    def stylizer(self) -> Generator:
        return self.tint

    def networks(self) -> dict[str, Any]:
        return {}

    def preview(self, content: Tensor) -> dict[str, Tensor]:
        return {"stylized": self.stylize(content), "cycled": content}

    def average(self) -> None:
        pass

    def parameters_of(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        return {"tint": (list(self.parameters()), 0.1)}

    def clip_problems(self, size: tuple[int, int], frames: int) -> list[str]:
        return []

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(self.parameters(), lr=0.1)]

    def optimizers(self, use_pl_optimizer: bool = True) -> Any:
        return [super().optimizers(use_pl_optimizer)]  # a list, even of one

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        loss = (self.tint(batch.content.frames) - batch.style.frames).square().mean()
        self.log_dict({"train/cycle": loss, "train/temporal": loss / 2})
        if self.generators_turn:
            self.update("tint", {"cycle": loss})


class TwoColours(Dataset[ClipBatch]):
    """Grey clips, a little brighter for each index, and white ones; one frame fades into the next."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> ClipBatch:
        grey = torch.full((2, 3, 8, 12), -0.5) + 0.1 * index + torch.tensor([0.0, 0.2])[:, None, None, None]
        return ClipBatch(Clips(grey), Clips(torch.ones(2, 3, 8, 12)))


class TwoColoursData(LightningDataModule):
    """In training the clips are changed at random, in validation they are not."""

    size, frames = (8, 12), 2

    def train_dataloader(self) -> DataLoader[ClipBatch]:
        return ClipLoader(TwoColours(), batch_size=1, collate_fn=collate)

    val_dataloader = train_dataloader

    def on_after_batch_transfer(self, batch: ClipBatch, dataloader_idx: int) -> ClipBatch:
        if self.trainer is not None and self.trainer.training:
            return ClipBatch(Clips(torch.rand_like(batch.content.frames)), batch.style)
        return batch


Train = Callable[..., Trainer]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Trains with some callbacks, into the folder ``trainer.log_dir``."""

    def run(*callbacks: Callback, steps: int = 4, n_critic: int = 1, every: int = 1, ckpt_path: Path | None = None) -> Trainer:
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=-1,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            log_every_n_steps=every,
            logger=CSVLogger(tmp_path, name="", version="run"),
            callbacks=list(callbacks),
            plugins=[VerifiedCheckpoints()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
            trainer.fit(TintMethod(steps, n_critic), datamodule=TwoColoursData(), ckpt_path=ckpt_path)
        return trainer

    return run
