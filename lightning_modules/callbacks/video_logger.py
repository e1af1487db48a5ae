"""Pictures of a run: a contact sheet and a video of fixed clips never trained on, repainted."""

import copy
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from datamodules.batch import ClipBatch
from lightning_modules.base import StyleMethod

Pictures = NDArray[np.uint8]
GAP = 2  # white pixels between cells
HEADING = 24  # height of the line of column names in pixels
CELL = 128  # smaller pictures are enlarged by a whole factor to at least this height


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


def side_by_side(columns: list[Tensor]) -> Pictures:
    """Rows of cells, one row for each frame.

    Args:
        columns: each ``(B, T, 3, H, W)`` in [-1, 1], all of one shape.

    Returns:
        Pictures ``(B, T, h, w, 3)``, enlarged if small, with white gaps right of and below each cell.
    """
    cells = []
    for frames in columns:
        factor = max(1, -(-CELL // frames.shape[-2]))
        values = ((frames.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).byte()
        pictures = values.permute(0, 1, 3, 4, 2).numpy().repeat(factor, axis=2).repeat(factor, axis=3)
        cells.append(np.pad(pictures, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255))
    return np.concatenate(cells, axis=3)


def headings(names: list[str], width: int) -> Pictures:
    """A white line ``(HEADING, width, 3)`` with each name over its share of the width."""
    line = Image.new("RGB", (width, HEADING), "white")
    for column, name in enumerate(names):
        centre = ((column + 0.5) * width / len(names), HEADING / 2)
        ImageDraw.Draw(line).text(centre, name, fill="black", anchor="mm", font=ImageFont.load_default(16))
    return np.asarray(line)


def to_and_fro(clip: Pictures, least: int = 24) -> list[Pictures]:
    """The frames forward and backward until there are at least so many: clips of training are too short to look at."""
    turn = [*clip, *clip[-2:0:-1]]
    return turn * -(-least // len(turn))


def encode(frames: list[Pictures], path: Path, rate: int) -> None:
    """Write ``(h, w, 3)`` frames as H.264 that any player shows; an odd row or column is repeated."""
    height, width = (side + side % 2 for side in frames[0].shape[:2])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in frames:
            even = np.pad(picture, ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")))
        container.mux(stream.encode())
