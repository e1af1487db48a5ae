import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.batch import ClipBatch
from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.callbacks.validation import Validation
from lightning_modules.checkpoint_folder import step_of
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.style_distance import gram_distance, mean_grams
from lightning_modules.metrics.warping_error import flicker_ratio

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


def test_flow_is_estimated_where_clips_bring_none(cyclegan: Callable[..., CycleGAN], batches: Batches) -> None:
    made = Validation(features="random")
    (batch,) = batches(1, flow=False, side=32)
    assert made.judge(cyclegan(), batch, 0, 1)["val/style"].isfinite()


@pytest.mark.parametrize("options", [{"every": -1}, {"clips": 0}])
def test_refuses_what_is_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="validation: expected every >= 0 and clips >= 1"):
        Validation(**options)
