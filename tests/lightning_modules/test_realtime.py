"""The small network's method: its step is its formula, the teacher teaches and is no part of what is kept."""

import copy
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor

from datamodules.batch import ClipBatch
from lightning_modules.checkpoint_file import CheckpointError
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.generators.pruning import pruned
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.loading import load_method
from lightning_modules.losses.temporal import LEAST_CONTRAST
from lightning_modules.ops.warp import warp
from lightning_modules.realtime import TAUGHT, Realtime

Build = Callable[..., CycleGAN]
Batches = Callable[..., list[ClipBatch]]
Train = Callable[..., Trainer]
TERMS = ["image", "clip", "identity", "temporal", "known_motion", "palette", "texture", "random_gram", "tone", *TAUGHT]
LARGE = {"palette", "texture", "random_gram"}  # these need pictures of 28 pixels
TINY: dict[str, Any] = {
    "generator": partial(RealtimeGenerator, 24, 1),
    "image_critic": partial(PatchGAN, 4, 1, "none"),
    "temporal_critic": partial(TemporalPatchGAN, 4, 2, "none"),
    "steps": 1000,
    "temporal_weight": 20.0,
    "palette_weight": 0.0,
    "texture_weight": 0.0,
    "random_gram_weight": 0.0,
}


def tiny(**options: Any) -> Realtime:
    """The same initial weights every time."""
    torch.manual_seed(0)
    return Realtime(**(TINY | options))


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Checkpoints of two networks that paint differently."""
    from lightning import Trainer as Plain
    from torch.utils.data import DataLoader

    from tests.lightning_modules.conftest import random_batches, tiny_cyclegan

    paths = []
    for rate in (0.01, 0.05):
        trainer = Plain(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
        trainer.fit(tiny_cyclegan(lr=rate), DataLoader(random_batches(3), batch_size=None))
        paths.append(str(tmp_path_factory.mktemp("teacher") / "last.ckpt"))
        trainer.save_checkpoint(paths[-1])
    return paths


@pytest.fixture
def teacher(teachers: list[str]) -> str:
    return teachers[0]


TEACHES = {"output_weight": 5.0, "features_weight": 2.0, "motion_weight": 3.0}


def test_losses_are_those_of_the_formula(teacher: str, batches: Batches, train: Train) -> None:
    method, (batch,) = tiny(adversarial="lsgan", teacher=teacher, **TEACHES), batches(1)
    before, T = copy.deepcopy(method), load_method(teacher).stylizer()
    logged = train(method, [batch]).callback_metrics
    G, D, E = before.to_style, before.style_critic.network, before.style_clip_critic.network
    (clip, flow, visible), clip_y = batch.content, batch.style.frames
    y = clip_y[:, 0]  # the first batch shows the first frame
    with torch.no_grad():
        painted, taught = G(clip), T(clip)
        contrast = (painted.flatten(1).var(1, correction=0) + LEAST_CONTRAST**2).sqrt()
        moved = (warp(painted[:, :-1], flow) - painted[:, 1:]).abs() * visible
        pairs = zip(D.features(painted[:, 0])[:-1], D.features(taught[:, 0])[:-1], strict=True)
        expected = {
            "image": (D(painted[:, 0]) - 1).square().mean(),
            "clip": (E(painted) - 1).square().mean(),
            "identity": (G(y) - y).abs().mean(),
            "temporal": (moved.flatten(1).sum(1) / (3 * visible.flatten(1).sum(1)) / contrast).mean(),
            "output": (painted - taught).abs().mean(),
            "features": torch.stack([(ours - theirs).abs().mean() for ours, theirs in pairs]).mean(),
            "motion": (painted[:, 1:] - painted[:, :-1] - taught[:, 1:] + taught[:, :-1]).abs().mean(),
            "style_critic": (D(y) - 1).square().mean() + D(painted[:, 0]).square().mean(),
            "style_clip_critic": (E(clip_y) - 1).square().mean() + E(painted).square().mean(),
        }
    assert {name for name in logged if name.startswith("train/")} - {"train/tone"} == {f"train/{name}" for name in expected}
    for name, value in expected.items():
        torch.testing.assert_close(logged[f"train/{name}"], value, atol=1e-5, rtol=1e-4, msg=name)


def test_it_comes_to_paint_like_its_teacher(teacher: str, batches: Batches, train: Train) -> None:
    off = dict.fromkeys(("image_weight", "clip_weight", "identity_weight", "temporal_weight", "tone_weight"), 0.0)
    method, clips = tiny(teacher=teacher, output_weight=1.0, lr=0.01, average_decay=0.0, **off), batches(1)[0].content.frames
    method.eval()
    taught = load_method(teacher).stylize(clips)
    start = (method.stylize(clips) - taught).abs().mean()
    train(method, batches(1) * 30)
    assert (method.cpu().stylize(clips) - taught).abs().mean() < 0.7 * start


@pytest.mark.parametrize("term", TERMS)
def test_a_weight_of_0_skips_the_work(
    term: str, teacher: str, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {f"{name}_weight": 0.7 for name in TERMS if name not in LARGE or name == term}
    called, weigh = [], Realtime.weigh

    def noting(self: Realtime, terms: dict[str, Callable[[], Tensor]]) -> dict[str, Tensor]:
        return weigh(self, {name: lambda n=name, t=value: called.append((self, n)) or t() for name, value in terms.items()})

    monkeypatch.setattr(Realtime, "weigh", noting)
    skipped, kept = (tiny(teacher=teacher, **weights | {f"{term}_weight": weight}) for weight in (0.0, 0.7))
    for method in (skipped, kept):
        train(method, batches(1, side=32))
    assert (skipped, term) not in called
    assert {name for method, name in called if method is kept} == {name for name in TERMS if f"{name}_weight" in weights}


CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # (option, what is set in both runs, what is changed in the second, the batches)
    *[(f"{term}_weight", {}, {f"{term}_weight": 0.3}, {"side": 32} if term in LARGE else {}) for term in TERMS],
    ("adversarial", {}, {"adversarial": "lsgan"}, {}),
    ("teacher", {}, {"teacher": 1}, {}),
    ("generator", {}, {"generator": partial(RealtimeGenerator, 24, 2)}, {}),
    ("image_critic", {}, {"image_critic": partial(PatchGAN, 4, 1, "spectral")}, {}),
    ("temporal_critic", {}, {"temporal_critic": None}, {}),
    ("temporal", {}, {"temporal": "unwarped"}, {}),
    ("flow", {}, {"flow": None}, {"flow": False}),
    ("penalty", {"penalty_weight": 100.0}, {"penalty": "r1"}, {}),
    ("penalty_weight", {"penalty": "r1"}, {"penalty_weight": 1000.0}, {}),
    ("penalty_every", {"penalty": "r1", "penalty_weight": 100.0}, {"penalty_every": 2}, {}),
    ("pool", {"pool": 0}, {"pool": 1}, {}),
    ("clip_pool", {"clip_pool": 0}, {"clip_pool": 1}, {}),
    ("lr", {}, {"lr": 1e-3}, {}),
    ("critic_lr", {}, {"critic_lr": 2e-3}, {}),
    ("betas", {}, {"betas": (0.0, 0.9)}, {}),
    ("constant", {"steps": 4, "constant": 0.0}, {"constant": 1.0}, {}),
    ("steps", {"steps": 4, "constant": 0.0}, {"steps": 8}, {}),
    ("n_critic", {}, {"n_critic": 2}, {}),
    ("accumulate", {}, {"accumulate": 2}, {}),
    ("clip", {}, {"clip": 1e-6}, {}),
    ("average_decay", {}, {"average_decay": 0.05}, {}),
    ("seed", {"known_motion_weight": 5.0}, {"seed": 1}, {}),
]


@pytest.fixture(scope="module")
def runs() -> dict[str, Tensor]:
    """The results of the unchanged runs, each needed by several cases."""
    return {}


@pytest.mark.parametrize(("option", "base", "change", "data"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_every_option_changes_what_is_painted(
    option: str,
    base: dict[str, Any],
    change: dict[str, Any],
    data: dict[str, Any],
    teachers: list[str],
    runs: dict[str, Tensor],
    batches: Batches,
    train: Train,
) -> None:
    def result(options: dict[str, Any]) -> Tensor:
        method = tiny(**TEACHES | options | {"teacher": teachers[options.get("teacher", 0)]})
        train(method, batches(4, **data))
        return method.stylize(batches(1, **data)[0].content.frames)

    key = repr((base, data))
    if key not in runs:
        runs[key] = result(base)
    assert option in change
    assert not torch.allclose(result(base | change), runs[key], atol=1e-6, rtol=0)


def test_every_option_is_tried() -> None:
    options = set(inspect.signature(Realtime).parameters)
    assert options - {"init_from", "compile"} == {case[0] for case in CASES}  # as in CycleGAN, whose tests try these


def test_only_the_small_network_is_kept_and_it_loads_where_the_teacher_is_gone(
    teachers: list[str], batches: Batches, train: Train, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher.ckpt"
    teacher.write_bytes(Path(teachers[0]).read_bytes())
    method = tiny(teacher=str(teacher), **TEACHES)
    before = {name: value.clone() for name, value in method.teachers[0].state_dict().items() if isinstance(value, Tensor)}
    train(method, batches(2)).save_checkpoint(tmp_path / "small.ckpt")
    after = method.teachers[0].state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    teacher.unlink()
    loaded, clips = load_method(tmp_path / "small.ckpt"), batches(1)[0].content.frames
    assert isinstance(loaded, Realtime)
    assert torch.equal(loaded.stylize(clips), method.stylize(clips))
    assert not any("teacher" in name for name in method.state_dict())
    assert set(method.preview(clips)) == {"stylized", "teacher"}
    assert set(loaded.preview(clips)) == {"stylized"}


def test_without_a_teacher_nothing_is_taught_and_the_reverse(teacher: str) -> None:
    with pytest.raises(ValueError, match="output_weight, features_weight, motion_weight need a teacher"):
        tiny(output_weight=1.0)
    with pytest.raises(ValueError, match="a teacher needs a weight of what it teaches"):
        tiny(teacher=teacher)
    with pytest.raises(CheckpointError, match=r"missing\.ckpt"):
        tiny(teacher="missing.ckpt", **TEACHES)


def test_clips_the_teacher_cannot_paint_are_refused_before_work(batches: Batches, train: Train, tmp_path: Path) -> None:
    large = tiny()
    train(large, batches(1)).save_checkpoint(tmp_path / "large.ckpt")
    method = tiny(generator=partial(RealtimeGenerator, 24, 1), teacher=str(tmp_path / "large.ckpt"), **TEACHES)
    (mine, teachers) = method.clip_problems((20, 16), 3)
    assert mine.startswith("RealtimeGenerator needs sides that are multiples of 8")
    assert teachers.startswith("the teacher's RealtimeGenerator needs sides")
    assert method.clip_problems((16, 16), 3) == []


def test_starting_from_a_wider_one_prunes_it(
    batches: Batches, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = tiny(generator=partial(RealtimeGenerator, 32, 1))
    train(wide, batches(2)).save_checkpoint(tmp_path / "wide.ckpt")
    narrow, clips = tiny(init_from=str(tmp_path / "wide.ckpt")), batches(1)[0].content.frames
    assert "pruned from a width of 32 to 24" in capsys.readouterr().out
    expected = RealtimeGenerator(24, 1).to(memory_format=torch.channels_last)  # as in training
    expected.load_state_dict(pruned(wide.style_average.state_dict(), 24))
    assert torch.equal(narrow.stylize(clips), expected(clips).detach())
    near, far = ((method.stylize(clips) - wide.stylize(clips)).abs().mean() for method in (narrow, tiny()))
    assert near < far


def test_starting_from_another_kind_of_network_takes_what_fits(
    batches: Batches, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.ckpt"
    train(tiny(generator=partial(ResNetGenerator, 4, 1)), batches(1)).save_checkpoint(path)  # has a stem, too
    method = tiny(init_from=str(path))
    said = capsys.readouterr().out
    assert "pruned" not in said
    assert "tensors taken over" in said
    assert isinstance(method.to_style, RealtimeGenerator)


def test_learns_without_a_teacher_and_without_a_critic_of_clips(batches: Batches, train: Train) -> None:
    method = tiny(temporal_critic=None)
    before = copy.deepcopy(method.to_style.state_dict())
    logged = train(method, batches(2)).callback_metrics
    assert {"train/image", "train/identity", "train/temporal", "train/tone"} <= set(logged)
    assert not {"train/clip", "train/output"} & set(logged)
    assert any(not torch.equal(value, before[name]) for name, value in method.to_style.state_dict().items())
    assert method.networks()["temporal_critic"] is None
