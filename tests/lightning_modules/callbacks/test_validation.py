import csv
import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer

from datamodules.batch import ClipBatch, Clips
from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.callbacks.stops import Stopped
from lightning_modules.callbacks.validation import Validation
from lightning_modules.checkpoint_folder import step_of
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.score import WORST
from lightning_modules.metrics.style_distance import gram_distance, mean_grams
from lightning_modules.metrics.warping_error import flicker_ratio, warping_error

Batches = Callable[..., list[ClipBatch]]


def rows(folder: Path) -> list[int]:
    """The steps of metrics.csv that have values."""
    with (folder / "run" / "metrics.csv").open() as file:
        return [int(float(row["step"])) for row in csv.DictReader(file) if row.get("val/style")]


def validation(batches: Batches, clips: int = 3, **options: Any) -> Validation:
    made = Validation(clips=clips, features="random", **options)
    (made.batch,) = batches(1, size=clips)
    return made


def test_is_the_metrics_of_the_averaged_network(cyclegan: Callable[..., CycleGAN], batches: Batches) -> None:
    method, made = cyclegan(), validation(batches)
    batch = made.batch
    assert batch is not None
    values = made.judge(method, batch, 0, 1)
    painted, extractor = method.stylize(batch.content.frames), RandomFeatures()
    target = mean_grams([extractor(batch.style.frames)])
    expected = gram_distance(mean_grams([extractor(painted)]), target)
    assert float(values["val/style"]) == pytest.approx(float(expected), rel=1e-5)
    ratio = flicker_ratio(painted, *batch.content[:1], *batch.content[1:])
    assert float(values["val/flicker_ratio"]) == pytest.approx(float(ratio), rel=1e-5)


def test_devices_share_the_clips(cyclegan: Callable[..., CycleGAN], batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    method, made, seen = cyclegan(), validation(batches), list[torch.Tensor]()
    assert made.batch is not None
    paint = method.stylize
    monkeypatch.setattr(method, "stylize", lambda frames: (seen.append(frames), paint(frames))[1])
    for rank in range(2):
        made.judge(method, made.batch, rank, 2)
    frames = made.batch.content.frames
    assert all(torch.equal(a, b) for a, b in zip(seen, [frames[0:1], frames[2:3], frames[1:2]], strict=True))


def test_logs_every_so_many_steps_and_at_the_end_once(batches: Batches, train: Any, tmp_path: Path) -> None:
    train(validation(batches, every=2), steps=5)
    assert rows(tmp_path) == [2, 4, 5]
    train(validation(batches, every=2), steps=4)
    assert rows(tmp_path) == [2, 4]


def test_none_leaves_it_out(batches: Batches, train: Any, tmp_path: Path) -> None:
    trainer = train(validation(batches, every=0), steps=2)
    assert not rows(tmp_path)
    assert "val/style" not in trainer.callback_metrics


def test_does_not_change_training(batches: Batches, train: Any) -> None:
    shifts = []
    for callbacks in ([], [validation(batches, every=1)]):
        torch.manual_seed(0)  # the clips of training are drawn from the global generator: nobody else may
        shifts.append(train(*callbacks).lightning_module.tint.shift)
    assert torch.equal(*shifts)


def test_a_resumed_run_is_validated_where_it_had_not_been(batches: Batches, train: Any, tmp_path: Path) -> None:
    def resumed(*callbacks: Any, step: int) -> list[int]:
        path = tmp_path / "run" / "checkpoints" / f"step-00000{step}.ckpt"
        train(*callbacks, steps=7, ckpt_path=path)
        return rows(tmp_path)

    saving = Checkpoints(every=1, keep=9)
    train(validation(batches, every=2), saving, steps=5)
    assert resumed(validation(batches, every=2), step=4) == [6, 7]  # saved after it was judged at 4
    train(saving_first := Checkpoints(every=1, keep=9), validation(batches, every=2), steps=5)
    assert saving_first.saved == 5
    assert resumed(validation(batches, every=2), step=4) == [4, 6, 7]  # stopped before it was


def test_a_checkpoint_can_be_best_by_it(batches: Batches, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, scores = validation(batches, every=2), iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(made, "judge", lambda *_: {"val/style": torch.tensor(next(scores))})
    train(made, Checkpoints(every=1, keep=9, best="val/style"), steps=6)  # the first is saved before anything is validated
    assert step_of((tmp_path / "run" / "checkpoints" / "best.ckpt").resolve()) == 4


def test_single_frames_have_a_style_and_no_flicker(cyclegan: Callable[..., CycleGAN], batches: Batches) -> None:
    made = Validation(features="random")
    (batch,) = batches(1, frames=1, flow=False)
    values = made.judge(cyclegan(temporal_critic=None), batch, 0, 1)
    assert values["val/style"].isfinite()
    assert values["val/flicker_ratio"].isnan()
    assert made.unpainted is not None
    assert float(values["val/score"]) == pytest.approx(float(values["val/style"]) / made.unpainted.style)


def relative_error(clips: Clips, frames: torch.Tensor | None = None) -> float:
    """E_warp over the variance, by the definition."""
    frames = clips.frames if frames is None else frames
    assert clips.flow is not None
    assert clips.visible is not None
    return float(warping_error(frames, clips.flow, clips.visible) / frames.var(correction=0))


def test_the_score_is_style_by_the_inputs_and_flicker_beyond_the_paintings(
    cyclegan: Callable[..., CycleGAN], batches: Batches
) -> None:
    method, made = cyclegan(), validation(batches, clips=8)
    assert made.batch is not None
    content, (motion, visible), extractor = made.batch.content, made.batch.content[1:], RandomFeatures()
    assert motion is not None
    noise, ramp = made.batch.style.frames[:, :1] * torch.tensor([1.0, -1.0, 1.0]).view(3, 1, 1, 1), torch.linspace(-1, 1, 16)
    for smooth in (0.0, 1.0):  # what changes its sign flickers more than any painting, a ramp that stands still less
        frames = (1 - 0.8 * smooth) * noise + smooth * ramp
        made.batch, made.unpainted = ClipBatch(content, Clips(frames, torch.zeros_like(motion), visible)), None
        painted = method.stylize(content.frames)
        grams = [mean_grams([extractor(frames.flatten(0, 1))]) for frames in (painted, content.frames)]
        target = mean_grams([extractor(made.batch.style.frames.flatten(0, 1))])
        distance, plain = (float(gram_distance(gram, target)) for gram in grams)
        style, camera = made.batch.style, relative_error(content) * float(content.frames.var(correction=0))
        of_style = relative_error(style) + camera / float(style.frames.var(correction=0))
        added = relative_error(content, painted) / of_style
        assert (added > 1) == (smooth > 0), "both sides of the paintings' own flicker"
        values = made.judge(method, made.batch, 0, 1)
        assert float(values["val/score"]) == pytest.approx(min(WORST, distance / plain + max(0, added - 1)), rel=1e-4)


def test_a_cheat_scores_worst(cyclegan: Callable[..., CycleGAN], batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    method, made = cyclegan(), validation(batches)
    assert made.batch is not None
    for cheat in (torch.zeros_like, lambda frames: frames, lambda frames: frames[:, :1].expand_as(frames)):
        monkeypatch.setattr(method, "stylize", cheat)
        assert float(made.judge(method, made.batch, 0, 1)["val/score"]) == WORST


def test_a_single_frame_is_looked_at_for_cheats(
    cyclegan: Callable[..., CycleGAN], batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, made, (batch,) = cyclegan(temporal_critic=None), Validation(features="random"), batches(1, frames=1, flow=False)
    monkeypatch.setattr(method, "stylize", lambda frames: frames)
    assert float(made.judge(method, batch, 0, 1)["val/score"]) == WORST


def test_what_is_not_finite_scores_worst(
    cyclegan: Callable[..., CycleGAN], batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, made = cyclegan(), validation(batches)
    assert made.batch is not None
    monkeypatch.setattr(method, "stylize", lambda frames: frames * torch.nan)
    values = made.judge(method, made.batch, 0, 1)
    assert values["val/style"].isnan()
    assert float(values["val/score"]) == WORST


class Breaks(Callback):
    """Ends the run at a step, once updates were left out."""

    def __init__(self, error: BaseException, skips: int, at: int = 3) -> None:
        self.error, self.skips, self.at = error, skips, at

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.generator_step == self.at:
            pl_module.skips = {"generators": self.skips}
            raise self.error


@pytest.mark.parametrize(
    ("error", "skips", "last"),
    [
        (ValueError("10 updates in a row were left out"), 10, WORST),
        (ValueError("no space left"), 0, 0.5),
        (Stopped(15), 1, 0.5),
    ],
)
def test_a_run_that_breaks_down_ends_at_the_worst_score(
    error: BaseException, skips: int, last: float, batches: Batches, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = validation(batches, every=1)
    monkeypatch.setattr(made, "judge", lambda *_: {"val/score": torch.tensor(0.5)})
    with pytest.raises(type(error)):
        train(made, Breaks(error, skips), steps=6)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        scores = [float(row["val/score"]) for row in csv.DictReader(file) if row.get("val/score")]
    assert scores == [0.5, 0.5, 0.5, *([WORST] if last == WORST else [])]


def judged_by(rank: int, method: CycleGAN, made: Validation, folder: Path) -> None:
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    assert made.batch is not None
    torch.save(made.judge(method, made.batch, rank, 2), folder / f"{rank}.pt")


def test_all_devices_find_the_values_of_one(cyclegan: Callable[..., CycleGAN], batches: Batches, tmp_path: Path) -> None:
    method, made = cyclegan(), validation(batches, clips=3)
    assert made.batch is not None
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=judged_by, args=(rank, method, made, tmp_path)) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
    alone, *found = made.judge(method, made.batch, 0, 1), *(torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert found[0] == found[1], "not even the last bit may differ: all devices decide by it"
    assert {name: float(value) for name, value in found[0].items()} == pytest.approx(
        {name: float(value) for name, value in alone.items()}
    )
    assert all(math.isfinite(value) for value in alone.values())


def test_flow_is_estimated_where_clips_bring_none(cyclegan: Callable[..., CycleGAN], batches: Batches) -> None:
    made = Validation(features="random")
    (batch,) = batches(1, flow=False, side=32)
    assert made.judge(cyclegan(), batch, 0, 1)["val/style"].isfinite()


@pytest.mark.parametrize("options", [{"every": -1}, {"clips": 0}])
def test_refuses_what_is_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="validation: expected every >= 0 and clips >= 1"):
        Validation(**options)
