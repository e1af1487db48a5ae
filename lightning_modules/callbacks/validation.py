"""How much the averaged network flickers on clips never trained on, and how far from the style it is, as training goes."""

from typing import Any, cast

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from datamodules.batch import ClipBatch, Clips
from lightning_modules.base import StyleMethod
from lightning_modules.callbacks.video_logger import validation_batch
from lightning_modules.flow import DISFlow
from lightning_modules.metrics.extractor import Kind, channels, extractor
from lightning_modules.metrics.style_distance import GramDistance
from lightning_modules.metrics.warping_error import FlickerRatio


class Validation(Callback):
    """Logs ``val/style`` (Gram distance) and ``val/flicker_ratio`` (R) of the first validation clips; lower is better in both.

    ``checkpoints.best`` can name either. Devices share the clips. Flow is the clips' own, or estimated as
    ``fit.evaluate`` does.

    Args:
        every: generator steps between two validations and at the end of a run, >= 0; 0 leaves them out.
        clips: how many, >= 1.
        features: of the style distance, see ``metrics.extractor.extractor``; auto is VGG-19 where its weights are, else random.
        weights: a file of those features' weights.
    """

    def __init__(self, every: int = 100, clips: int = 8, features: Kind = "auto", weights: str | None = None) -> None:
        if every < 0 or clips < 1:
            raise ValueError(f"validation: expected every >= 0 and clips >= 1, got every {every} and clips {clips}")
        self.every, self.clips = every, clips
        self.extractor = extractor(features, weights)
        self.seen = 0  # the step judged last; step 0 has learnt nothing
        self.batch: ClipBatch | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the names be known, before there are values."""
        if self.every:
            for name in ("val/style", "val/flicker_ratio"):
                trainer.callback_metrics.setdefault(name, torch.tensor(torch.nan))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The step before this batch is counted by now."""
        method = cast(StyleMethod, pl_module)
        if self.every and method.generator_step % self.every == 0:
            self.validate(trainer, method)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last step of a run; one that only pauses is validated where an uninterrupted one would be."""
        method = cast(StyleMethod, pl_module)
        if self.every and method.generator_step >= method.steps:
            self.validate(trainer, method)

    @torch.no_grad()
    def validate(self, trainer: Trainer, method: StyleMethod) -> None:
        """Judge a step once. All devices must call this together."""
        if method.generator_step == self.seen:
            return
        self.seen = method.generator_step
        self.batch = self.batch or validation_batch(trainer, method, self.clips)
        values = self.judge(method, self.batch, trainer.global_rank, trainer.world_size)
        trainer.callback_metrics.update(values)
        for logger in trainer.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, step=self.seen)

    def judge(self, method: StyleMethod, batch: ClipBatch, rank: int, ranks: int) -> dict[str, Tensor]:
        """The values over all clips, of which this device takes its share."""
        extractor = self.extractor.to(method.device)
        style, flicker = GramDistance(channels(extractor)), FlickerRatio()
        for metric in (style, flicker):
            metric.to(method.device if method.device.type == "cuda" else "cpu")  # where devices can add them up
        for number in range(rank, len(batch.content.frames), ranks):
            content = batch.content.frames[number : number + 1]
            painted = method.stylize(content)
            style.update(extractor(painted[0]), real=False, numbers=[number] * painted.shape[1])
            style.update(extractor(batch.style.frames[number]), real=True)
            if content.shape[1] > 1:  # single frames cannot flicker
                flicker.update(painted, content, *motion_of(batch.content, number), numbers=[number])
        return {"val/style": style.compute().cpu(), "val/flicker_ratio": flicker.compute().cpu()}

    def state_dict(self) -> dict[str, int]:
        """A run that is resumed where it had not been judged yet is judged there."""
        return {"seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The reverse."""
        self.seen = state_dict["seen"]


def motion_of(clips: Clips, number: int) -> tuple[Tensor, Tensor]:
    """Flow and visibility of one of the clips, known or estimated."""
    if clips.flow is None or clips.visible is None:
        return DISFlow("quick").estimate(clips.frames[number : number + 1])
    return clips.flow[number : number + 1], clips.visible[number : number + 1]
