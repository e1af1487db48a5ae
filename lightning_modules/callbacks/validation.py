"""How much the averaged network flickers on clips never trained on, and how far from the style it is, as training goes."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from datamodules.batch import ClipBatch, Clips
from lightning_modules.base import StyleMethod
from lightning_modules.callbacks.stops import Stopped
from lightning_modules.callbacks.video_logger import validation_batch
from lightning_modules.flow import DISFlow
from lightning_modules.metrics.base import ClipMetric
from lightning_modules.metrics.degenerate import Degenerate
from lightning_modules.metrics.extractor import Kind, channels, extractor
from lightning_modules.metrics.score import WORST, score
from lightning_modules.metrics.style_distance import GramDistance
from lightning_modules.metrics.warping_error import FlickerRatio

NAMES = ("val/style", "val/flicker_ratio", "val/score")
GUARDED = 3  # frames of each clip that are looked at for cheats


class Unpainted(NamedTuple):
    """What the score is measured by, the same in all validations.

    Args:
        style: distance of the unpainted content from the style.
        flicker: R of the style's clips in their own motion, seen by the camera of the content; NaN for single frames.
    """

    style: float
    flicker: float


class Validation(Callback):
    """Logs ``val/style`` (Gram distance), ``val/flicker_ratio`` (R) and ``val/score`` of the first validation clips.

    Lower is better in all three, and ``checkpoints.best`` can name any. The score is both in one number, see
    ``metrics.score``; a run that looks like a cheat, or is not finite, scores worst, also when it ends with an error because
    of it. Devices share the clips. Flow is the clips' own, or estimated as ``fit.evaluate`` does.

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
        self.unpainted: Unpainted | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the names be known, before there are values."""
        if self.every:
            for name in NAMES:
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

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let the last score of a run that broke down not be one from before; a run that was asked to stop is none."""
        method, asked = cast(StyleMethod, pl_module), isinstance(exception, Stopped | KeyboardInterrupt)
        if self.every and not asked and any(method.skips.values()):
            self.record(trainer, {"val/score": torch.tensor(WORST)}, method.generator_step)

    @torch.no_grad()
    def validate(self, trainer: Trainer, method: StyleMethod) -> None:
        """Judge a step once. All devices must call this together."""
        if method.generator_step == self.seen:
            return
        self.seen = method.generator_step
        self.batch = self.batch or validation_batch(trainer, method, self.clips)
        self.record(trainer, self.judge(method, self.batch, trainer.global_rank, trainer.world_size), self.seen)

    def record(self, trainer: Trainer, values: dict[str, Tensor], step: int) -> None:
        """Where checkpoints look, and to the loggers."""
        trainer.callback_metrics.update(values)
        for logger in trainer.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, step=step)

    def judge(self, method: StyleMethod, batch: ClipBatch, rank: int, ranks: int) -> dict[str, Tensor]:
        """The values over all clips, of which this device takes its share."""
        features = self.extractor.to(method.device)
        style, flicker, guards = placed(method, GramDistance(channels(features)), FlickerRatio(), Degenerate())
        for number in range(rank, len(batch.content.frames), ranks):
            content = batch.content.frames[number : number + 1]
            painted = method.stylize(content)
            style.update(features(painted[0]), real=False, numbers=[number] * painted.shape[1])
            style.update(features(batch.style.frames[number]), real=True)
            motion = motion_of(batch.content, number)
            if content.shape[1] > 1:  # single frames cannot flicker
                flicker.update(painted, content, *motion, numbers=[number])
            guards.update(*guarded(painted, content, *motion), numbers=[number])
        self.unpainted = self.unpainted or self.measure(method, batch, rank, ranks)
        distance, ratio = style.compute().cpu(), flicker.compute().cpu()
        added = float(ratio) / self.unpainted.flicker if batch.content.frames.shape[1] > 1 else None
        one = score(float(distance), self.unpainted.style, added, cast(Degenerate, guards).flags())
        return dict(zip(NAMES, (distance, ratio, torch.tensor(one)), strict=True))

    def measure(self, method: StyleMethod, batch: ClipBatch, rank: int, ranks: int) -> Unpainted:
        """What the score is measured by, over all clips, of which this device takes its share."""
        style, flicker = placed(method, GramDistance(channels(self.extractor)), FlickerRatio())
        for number in range(rank, len(batch.content.frames), ranks):
            content, theirs = (clips.frames[number : number + 1] for clips in (batch.content, batch.style))
            style.update(self.extractor(content[0]), real=False)
            style.update(self.extractor(theirs[0]), real=True)
            if content.shape[1] > 1:
                flow, visible = motion_of(batch.content, number)
                flicker.update(theirs, content, *motion_of(batch.style, number), [number], flow, visible)
        return Unpainted(float(style.compute()), float(cast(FlickerRatio, flicker).under_the_same_camera()))

    def state_dict(self) -> dict[str, int]:
        """A run that is resumed where it had not been judged yet is judged there."""
        return {"seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The reverse."""
        self.seen = state_dict["seen"]


def placed(method: StyleMethod, *metrics: ClipMetric) -> Iterator[ClipMetric]:
    """Metrics where devices can add them up."""
    return (metric.to(method.device if method.device.type == "cuda" else "cpu") for metric in metrics)


def guarded(painted: Tensor, content: Tensor, flow: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The first frames, for what looks for cheats; a single frame as one that stands still."""
    if content.shape[1] == 1:
        painted, content = (frames.expand(-1, 2, -1, -1, -1) for frames in (painted, content))
    last = GUARDED - 1
    return painted[:, :GUARDED], content[:, :GUARDED], flow[:, :last], visible[:, :last]


def motion_of(clips: Clips, number: int) -> tuple[Tensor, Tensor]:
    """Flow and visibility of one of the clips, known or estimated; of a single frame that it stands still."""
    frames = clips.frames[number : number + 1]
    if frames.shape[1] == 1:
        still = frames.new_zeros(1, 1, 2, *frames.shape[-2:])
        return still, still[:, :, :1]
    if clips.flow is None or clips.visible is None:
        return DISFlow("quick").estimate(frames)
    return clips.flow[number : number + 1], clips.visible[number : number + 1]
