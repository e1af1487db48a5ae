"""Before the first step: the method starts from other weights, and refuses what does not go together."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning import Trainer

from datamodules.batch import ClipBatch
from datamodules.moving_scenes import MovingScenes
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.loading import load_method

Build = Callable[..., CycleGAN]
Batches = Callable[..., list[ClipBatch]]
Train = Callable[..., Trainer]


# --- starting from another checkpoint ---


def test_starts_from_another_checkpoint(
    cyclegan: Build, batches: Batches, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "first.ckpt"
    first = cyclegan()
    train(first, batches(2)).save_checkpoint(path)
    second = cyclegan(init_from=str(path), lr=1e-4)
    assert "left as they were: none; not used: none" in capsys.readouterr().out
    theirs = {name: value for name, value in first.state_dict().items() if isinstance(value, torch.Tensor)}
    assert theirs
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in theirs.items())
    assert (second.generator_step, second.batches_seen) == (0, 0)
    train(second, batches(1)).save_checkpoint(tmp_path / "second.ckpt")
    path.unlink()
    clip = batches(1)[0].content.frames
    assert torch.equal(load_method(tmp_path / "second.ckpt").stylize(clip), second.stylize(clip))


def test_says_what_did_not_fit(
    cyclegan: Build, batches: Batches, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "first.ckpt"
    first = cyclegan()
    train(first, batches(1)).save_checkpoint(path)
    wider = cyclegan(init_from=str(path), generator=partial(RealtimeGenerator, 26, 2))
    left, unused = capsys.readouterr().out.split("left as they were: ")[1].split("; not used: ")
    assert "to_style.stem.weight" in left
    assert "to_style.deep.1.across.weight" in left
    assert "to_style.stem.weight" in unused
    assert "critic" not in left + unused
    assert torch.equal(wider.style_critic.network.stages[-1].weight, first.style_critic.network.stages[-1].weight)


# --- refusals ---


def test_all_wrong_options_are_told_at_once(cyclegan: Build) -> None:
    with pytest.raises(ValueError, match="CycleGAN: ") as caught:
        cyclegan(
            steps=0,
            cycle_weight=-1.0,
            content_weight=1.0,
            lr=0.0,
            average_decay=1.0,
            adversarial="wasserstein",
            image_critic=partial(PatchGAN, 4, 1, "batch"),
            temporal_critic=partial(TemporalPatchGAN, 4, 2, "none", True),
            penalty="r1",
            penalty_every=0,
        )
    told = str(caught.value)
    assert "\n" not in told
    for problem in (
        "steps must be >= 1, got 0",
        "cycle_weight must be >= 0 and finite, got -1.0",
        "need an extractor",
        "lr and critic_lr must be > 0 and finite, got (0.0, 0.001)",
        "average_decay must be in [0, 1), got 1.0",
        "PatchGAN with norm=batch couples clips",
        "adversarial=wasserstein needs penalty=gradient",
        "set clip_pool to 0",
        "penalty_every must be >= 1",
    ):
        assert told.count(problem) == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("option", ["cycle_weight", "image_weight", "penalty_weight", "lr", "critic_lr"])
def test_options_that_are_not_finite_are_refused(option: str, bad: float, cyclegan: Build) -> None:
    with pytest.raises(ValueError, match=rf"{option}.* and finite, got .*{bad}"):
        cyclegan(**{option: bad})


def test_clips_that_do_not_fit_are_refused_before_any_work(cyclegan: Build) -> None:
    method = cyclegan(palette_weight=1.0, image_critic=partial(PatchGAN, 4, 2, "none"))
    assert method.clip_problems((32, 32), 3) == []
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False)
    with pytest.raises(ValueError, match="CycleGAN: ") as caught:
        trainer.fit(method, datamodule=MovingScenes(size=(10, 32), frames=2, workers=0))
    told = str(caught.value)
    for problem in (
        "RealtimeGenerator needs sides that are multiples of 8, at least 8, got data.size 10x32",
        "PatchGAN needs sides of at least 12, got data.size 10x32",
        "TemporalPatchGAN needs data.frames of at least 3, got 2; or set temporal_critic to null",
        "palette_weight, texture_weight, random_gram_weight need sides of at least 28, got data.size 10x32",
    ):
        assert told.count(problem) == 1


def test_no_weight_at_all_is_refused(cyclegan: Build, batches: Batches, train: Train) -> None:
    with pytest.raises(ValueError, match="expected a weight above 0, got 0 for every term; give one a weight"):
        train(cyclegan(**{f"{term}_weight": 0.0 for term in cyclegan().weights}), batches(1))
