"""Pictures of a run: a contact sheet and a video of fixed clips never trained on, repainted."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from datamodules.batch import ClipBatch
from lightning_modules.base import StyleMethod
from lightning_modules.pictures import encode, headings, side_by_side, to_and_fro


class VideoLogger(Callback):
    """Writes ``samples/step-000500.png`` (rows of time) and ``.mp4`` (side by side); both go to W&B where it is attached.

    Columns: content, what ``StyleMethod.preview`` makes of it, style. The clips are the first of the validation split.

    Args:
        every: generator steps between two samples, >= 1; the end of the run is always sampled.
        clips: how many clips, >= 1.
        rate: frames per second of the video.
    """

    def __init__(self, every: int = 500, clips: int = 2, rate: int = 8) -> None:
        if min(every, clips, rate) < 1:
            raise ValueError(f"samples: expected every, clips and rate >= 1, got {every}, {clips} and {rate}")
        self.every, self.clips, self.rate = every, clips, rate
        self.batch: ClipBatch | None = None
        self.written = 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The step before this batch is counted by now."""
        method = cast(StyleMethod, pl_module)
        if method.generator_step % self.every == 0:
            self.write(trainer, method)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Whatever was not shown yet."""
        self.write(trainer, cast(StyleMethod, pl_module))

    def write(self, trainer: Trainer, method: StyleMethod) -> None:
        """Sample a step once; step 0 has nothing to show."""
        if method.generator_step == self.written:
            return
        self.written = method.generator_step
        folder = Path(trainer.log_dir or ".") / "samples"  # all ranks must ask together
        if not trainer.is_global_zero:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.batch = self.batch or validation_batch(trainer, method, self.clips)
        content, style = self.batch.content.frames, self.batch.style.frames
        columns = {"content": content, **method.preview(content), "style": style}
        path = folder / f"step-{self.written:06d}.png"
        rows = side_by_side(list(columns.values()))
        heading = headings(list(columns), rows.shape[-2])
        Image.fromarray(np.concatenate([heading, *rows.reshape(-1, *rows.shape[2:])])).save(path)
        film = [np.concatenate([heading, row]) for clip in rows for row in to_and_fro(clip)]
        encode(film, path.with_suffix(".mp4"), self.rate)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("samples/sheet", [str(path)], step=self.written)
                logger.log_video("samples/video", [str(path.with_suffix(".mp4"))], step=self.written, format=["mp4"])


def validation_batch(trainer: Trainer, method: StyleMethod, clips: int) -> ClipBatch:
    """The first validation clips as the method would get them, or as many as there are."""
    data = cast(Any, trainer).datamodule
    loader = data.val_dataloader()
    # A copy, because the original may still have to travel to workers, which an opened video cannot.
    dataset = copy.deepcopy(loader.dataset)
    batch = loader.collate_fn([dataset[index] for index in range(min(clips, len(dataset)))])
    batch = data.transfer_batch_to_device(batch, method.device, 0)
    trainer.validating = True  # nothing random is done to the clips then
    try:
        return cast(ClipBatch, data.on_after_batch_transfer(batch, 0))
    finally:
        trainer.training = True
