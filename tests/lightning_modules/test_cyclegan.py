"""The method: its step is its formula, every option does what it says, and what is off costs nothing."""

import copy
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from datamodules.batch import ClipBatch
from lightning_modules import adversarial
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.losses.patch_distribution import random_filters
from lightning_modules.losses.temporal import LEAST_CONTRAST
from lightning_modules.losses.tone import FLAT
from lightning_modules.ops.colours import style_moments
from lightning_modules.ops.pretrained import Frozen
from lightning_modules.ops.warp import warp

Build = Callable[..., CycleGAN]
Batches = Callable[..., list[ClipBatch]]
Train = Callable[..., Trainer]
TERMS = ["image", "clip", "cycle", "identity", "temporal", "palette", "texture", "random_gram", "tone", "known_motion"]
TERMS += ["total_variation", "feature_matching", "content", "gram"]
LARGE = {"palette", "texture", "random_gram"}  # these need pictures of 28 pixels


class Features(Frozen):
    """In place of a pretrained network: one fixed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, bias=False)
        with torch.no_grad():  # the same in every test, whatever was drawn before
            self.layer.weight.copy_(torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)))
        self.freeze()

    def forward(self, frames: Tensor) -> list[Tensor]:
        return [self.layer(frames).relu()]


def learned(method: CycleGAN) -> Tensor:
    """All that can be learned, in one vector; the generators and their averages first, critics of clips last."""
    return torch.cat([v.flatten() for v in method.state_dict().values() if isinstance(v, Tensor)])


def with_sgd(method: CycleGAN) -> CycleGAN:
    """Plain steps down the gradient, so that equal gradients make equal weights, and only these."""
    method.configure_optimizers = lambda: [SGD(p, lr) for p, lr in method.parameters_of().values()]
    return method


# --- the step is its formula ---


def test_losses_are_those_of_the_formula(cyclegan: Build, batches: Batches, train: Train) -> None:
    method, (batch,) = cyclegan(adversarial="lsgan"), batches(1)
    before = copy.deepcopy(method)
    logged = train(method, [batch]).callback_metrics
    G, F = before.to_style, before.to_content
    (clip, flow, visible), clip_y = batch.content, batch.style.frames
    x, y = clip[:, 0], clip_y[:, 0]  # the first batch shows the first frame
    D, DF = before.style_critic.network, before.content_critic.network
    E, EF = before.style_clip_critic.network, before.content_clip_critic.network
    with torch.no_grad():
        contrast = (G(clip).flatten(1).var(1, correction=0) + LEAST_CONTRAST**2).sqrt()
        moved = (warp(G(clip)[:, :-1], flow) - G(clip)[:, 1:]).abs() * visible
        light, shade = (v.mean(2).flatten(2) for v in (G(clip), clip))  # 16 pixels, 16 regions: each is one
        both = torch.stack([light, shade], 2) - torch.stack([light, shade], 2).mean(-1, keepdim=True)
        cross = both @ both.mT / both.shape[-1] + FLAT**2
        expected = {
            "image": (D(G(x)) - 1).square().mean() + (DF(F(y)) - 1).square().mean(),
            "clip": (E(G(clip)) - 1).square().mean() + (EF(F(clip_y)) - 1).square().mean(),
            "cycle": (F(G(x)) - x).abs().mean() + (G(F(y)) - y).abs().mean(),
            "identity": (G(y) - y).abs().mean() + (F(x) - x).abs().mean(),
            "temporal": (moved.flatten(1).sum(1) / (3 * visible.flatten(1).sum(1)) / contrast).mean(),
            "tone": (1 - cross[..., 0, 1] / (cross[..., 0, 0] * cross[..., 1, 1]).sqrt()).mean(),
            "style_critic": (D(y) - 1).square().mean() + D(G(x)).square().mean(),
            "content_critic": (DF(x) - 1).square().mean() + DF(F(y)).square().mean(),
            "style_clip_critic": (E(clip_y) - 1).square().mean() + E(G(clip)).square().mean(),
            "content_clip_critic": (EF(clip) - 1).square().mean() + EF(F(clip_y)).square().mean(),
        }
    assert {name for name in logged if name.startswith("train/")} == {f"train/{name}" for name in expected}
    for name, value in expected.items():
        torch.testing.assert_close(logged[f"train/{name}"], value, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("term", TERMS)
def test_a_weight_of_0_skips_the_work_and_changes_nothing(
    term: str, cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {f"{name}_weight": 0.7 for name in TERMS if name not in LARGE or name == term}
    skipped, vanishing = (
        with_sgd(cyclegan(**weights | {f"{term}_weight": weight, "extractor": Features})) for weight in (0.0, 1e-30)
    )
    start, called, weigh = learned(skipped), [], CycleGAN.weigh

    def noting(self: CycleGAN, terms: dict[str, Callable[[], Tensor]]) -> dict[str, Tensor]:
        return weigh(self, {name: lambda n=name, t=value: called.append((self, n)) or t() for name, value in terms.items()})

    monkeypatch.setattr(CycleGAN, "weigh", noting)
    for method in (skipped, vanishing):
        train(method, batches(2, side=32 if term in LARGE else 16))
    assert (skipped, term) not in called
    assert (vanishing, term) in called
    assert {name for _, name in called} == {name for name in TERMS if f"{name}_weight" in weights}
    # The same weights, but for critics of clips, which are not even there without a weight on clips.
    torch.testing.assert_close(learned(skipped), learned(vanishing)[: len(start)], atol=1e-6, rtol=1e-5)
    assert (learned(skipped) - start).abs().max() > 1e-4


@pytest.mark.parametrize("term", [None, "palette", "texture"])
def test_pictures_are_remembered_only_for_terms_that_compare_them(
    term: str | None, cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, drawn = cyclegan(**({f"{term}_weight": 1.0} if term else {})), []
    monkeypatch.setattr(adversarial, "random_filters", lambda *how: drawn.append(how) or random_filters(*how))
    train(method, batches(2, side=32))
    for memory in (method.recent_style, method.recent_paintings):
        assert {slot: len(kept) for slot, kept in memory.items.items()} == ({0: 2, 1: 2} if term else {})
    assert len(drawn) == (4 if term else 0)  # for each of two slots in two batches


def test_pictures_kept_for_the_identity_are_painted_only_if_it_counts(cyclegan: Build, batches: Batches, train: Train) -> None:
    for weight, frames in ((1.0, 3 * 2 + 2), (0.0, 3 * 2)):
        method, seen = cyclegan(identity_weight=weight, cycle_weight=0.0), []
        method.to_style.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(len(inputs[0])))
        train(method, batches(1))
        assert seen == [frames]


# --- every option changes something, and all are tried ---

CRITIC_LEADS: dict[str, Any] = {"image_weight": 100.0}  # what changes it alone is seen after four steps, beyond rounding
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # (option, what is set in both runs, what is changed in the second, the batches)
    *[
        (f"{term}_weight", {"extractor": Features}, {f"{term}_weight": 30.0}, {"side": 32 if term in LARGE else 16})
        for term in TERMS
    ],
    *[("adversarial", {}, {"adversarial": kind}, {}) for kind in ("minimax", "nonsaturating", "lsgan")],
    ("adversarial", {"adversarial": "lsgan", "penalty": "gradient"}, {"adversarial": "wasserstein"}, {}),
    ("generator", {}, {"generator": partial(RealtimeGenerator, 24, 2)}, {}),
    ("image_critic", {}, {"image_critic": partial(PatchGAN, 4, 1, "spectral")}, {}),
    ("temporal_critic", {}, {"temporal_critic": partial(TemporalPatchGAN, 4, 2, "layer")}, {}),
    ("temporal_critic", {}, {"temporal_critic": None}, {}),
    ("temporal_critic", {"clip_pool": 0}, {"temporal_critic": partial(TemporalPatchGAN, 4, 2, "none", True)}, {}),
    ("temporal", {}, {"temporal": "unwarped"}, {}),
    ("extractor", {"gram_weight": 1.0, "extractor": Features}, {"extractor": lambda: Scaled()}, {}),
    ("flow", {}, {"flow": None}, {"flow": False}),
    ("penalty", {}, {"penalty": "gradient"}, {}),
    ("penalty", {"penalty_weight": 1000.0}, {"penalty": "r1"}, {}),
    ("penalty_weight", {"penalty": "r1"}, {"penalty_weight": 1000.0}, {}),
    ("penalty_every", CRITIC_LEADS | {"penalty": "r1", "penalty_weight": 1000.0}, {"penalty_every": 2}, {}),
    ("pool", CRITIC_LEADS | {"pool": 0}, {"pool": 1}, {}),
    ("clip_pool", {"clip_weight": 100.0, "clip_pool": 0}, {"clip_pool": 1}, {}),
    ("lr", {}, {"lr": 2e-3}, {}),
    ("critic_lr", {}, {"critic_lr": 2e-3}, {}),
    ("betas", {}, {"betas": (0.0, 0.9)}, {}),
    ("constant", {"steps": 4, "constant": 0.0}, {"constant": 1.0}, {}),
    ("steps", {"steps": 4, "constant": 0.0}, {"steps": 8}, {}),
    ("n_critic", {}, {"n_critic": 2}, {}),
    ("accumulate", {}, {"accumulate": 2}, {}),
    ("clip", {}, {"clip": 1e-6}, {}),
    ("average_decay", {}, {"average_decay": 0.05}, {}),
    ("seed", {"known_motion_weight": 5.0}, {"seed": 1}, {}),
    ("seed", CRITIC_LEADS | {"penalty": "gradient"}, {"seed": 1}, {}),
    ("seed", CRITIC_LEADS | {"pool": 1}, {"seed": 1}, {}),
    ("seed", {"texture_weight": 5.0}, {"seed": 1}, {"side": 32}),
]


class Scaled(Features):
    def forward(self, frames: Tensor) -> list[Tensor]:
        return [torch.cat([frames, self.layer(frames).mean((-2, -1), keepdim=True).expand(-1, -1, *frames.shape[-2:])], 1)]


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
    runs: dict[str, Tensor],
    cyclegan: Build,
    batches: Batches,
    train: Train,
) -> None:
    def result(options: dict[str, Any]) -> Tensor:
        method = cyclegan(**options)
        train(method, batches(4, **data))
        return method.stylize(batches(1, **data)[0].content.frames)

    key = repr((base, data))
    if key not in runs:
        runs[key] = result(base)
    assert option in change
    assert not torch.allclose(result(base | change), runs[key], atol=1e-6, rtol=0)


def test_every_option_is_tried() -> None:
    options = set(inspect.signature(CycleGAN).parameters)
    assert options - {"init_from", "compile"} == {case[0] for case in CASES}  # these have tests of their own


# --- counting, averaging, accumulating, resuming ---


def test_accumulated_batches_are_one_larger_batch(cyclegan: Build, batches: Batches, train: Train) -> None:
    options: dict[str, Any] = {
        "adversarial": "lsgan",
        "penalty": "r1",
        "pool": 0,
        "clip_pool": 0,
        "lr": 0.01,
        "critic_lr": 0.01,
    }
    options |= {"n_critic": 2, "total_variation_weight": 0.1, "steps": 3, "constant": 0.0}
    whole = batches(4, size=4)
    halves = [
        ClipBatch(
            *(
                type(clips)(*(None if part is None else part[i : i + 2] for part in clips))
                for clips in (batch.content, batch.style)
            )
        )
        for batch in whole
        for i in (0, 2)
    ]
    one, two = with_sgd(cyclegan(**options)), with_sgd(cyclegan(**options, accumulate=2))
    start = learned(one)
    train(one, whole)
    train(two, halves)
    assert (one.generator_step, two.generator_step) == (2, 2)
    assert (learned(one) - start).abs().max() > 1e-3
    torch.testing.assert_close(learned(one), learned(two), atol=2e-6, rtol=1e-4)


def flat(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


class Diary(Callback):
    """Weights of the generator and of its critic after every batch."""

    def __init__(self) -> None:
        self.generators: list[Tensor] = []
        self.critics: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: object) -> None:
        self.generators.append(flat(pl_module.to_style))
        self.critics.append(flat(pl_module.style_critic))


def test_wasserstein_critics_learn_five_times_as_often(cyclegan: Build, batches: Batches, train: Train) -> None:
    method, notes = cyclegan(adversarial="wasserstein", penalty="gradient", n_critic=5), Diary()
    train(method, batches(6), [notes])
    changed = [not torch.equal(a, b) for a, b in zip(notes.generators[:-1], notes.generators[1:], strict=True)]
    assert changed == [False, False, False, True, False]
    assert all(not torch.equal(a, b) for a, b in zip(notes.critics[:-1], notes.critics[1:], strict=True))
    assert (method.generator_step, method.batches_seen) == (1, 6)


def test_the_shipped_network_learns_the_light_and_the_colours_of_all_batches(
    cyclegan: Build, batches: Batches, train: Train, tmp_path: Path
) -> None:
    path, shown = tmp_path / "first.ckpt", batches(3)
    method = cyclegan()
    train(method, shown).save_checkpoint(path)
    clips = [[(batch.content if content else batch.style).frames for batch in shown] for content in (True, False)]
    frames, pictures = ([clip[:, step % clip.shape[1]] for step, clip in enumerate(side)] for side in clips)
    torch.testing.assert_close(method.stylizer().usual_light, torch.cat(frames).mean())
    known = method.stylizer().style_colours
    assert known.seen == 3
    torch.testing.assert_close(known.moments, style_moments(torch.cat(pictures)))
    assert method.unstylizer().style_colours.seen == 0
    other = cyclegan(init_from=str(path))
    train(other, shown[:1])
    assert other.stylizer().style_colours.seen == 1
    torch.testing.assert_close(other.stylizer().usual_light, frames[0].mean())
    torch.testing.assert_close(other.stylizer().style_colours.moments, style_moments(pictures[0]))


def test_the_average_follows_the_trained_weights(cyclegan: Build, batches: Batches, train: Train) -> None:
    method, notes = cyclegan(average_decay=0.25), Diary()
    expected = flat(method.style_average)
    train(method, batches(4), [notes])
    for step, weights in enumerate(notes.generators, start=1):
        d = min(0.25, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * weights
    torch.testing.assert_close(flat(method.style_average), expected)
    clip = batches(1)[0].content.frames
    assert torch.equal(method.stylize(clip), method.style_average(clip))
    shown = method.preview(clip)
    assert set(shown) == {"stylized", "cycled"}
    assert all(value.shape == clip.shape and not value.requires_grad for value in shown.values())


def test_critics_learn_nothing_in_the_generators_turn_nor_the_reverse(
    cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = cyclegan(feature_matching_weight=1.0, penalty="r1", accumulate=2)  # gradients stay after the first batch
    grads: dict[str, dict[str, list[Tensor | None]]] = {}
    update = method.update

    def noting(side: str, terms: dict[str, Tensor]) -> None:
        update(side, terms)
        sides = method.parameters_of()
        grads[side] = {name: [None if p.grad is None else p.grad.clone() for p in sides[name][0]] for name in sides}

    monkeypatch.setattr(method, "update", noting)
    train(method, batches(1))
    assert all(g is None for g in grads["generators"]["critics"])
    assert all(g is not None for g in grads["generators"]["generators"])
    assert all(g is not None for g in grads["critics"]["critics"])
    pairs = zip(grads["generators"]["generators"], grads["critics"]["generators"], strict=True)
    assert all(torch.equal(a, b) for a, b in pairs if a is not None and b is not None)


def test_resuming_is_as_good_as_going_on(cyclegan: Build, batches: Batches, tmp_path: Path) -> None:
    options: dict[str, Any] = {"pool": 2, "clip_pool": 1, "penalty": "gradient", "penalty_every": 2, "texture_weight": 1.0}
    options |= {"steps": 6, "constant": 0.0, "image_critic": partial(PatchGAN, 4, 1, "spectral")}
    loader = DataLoader(batches(3, side=32), batch_size=None)

    def run(epochs: int, resume: Path | None = None) -> tuple[CycleGAN, Trainer]:
        method = cyclegan(**options)
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = Trainer(max_epochs=epochs, accelerator="cpu", **quiet)
        trainer.fit(method, loader, ckpt_path=resume, weights_only=True)
        return method, trainer

    whole, _ = run(2)
    _, half = run(1)
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = run(2, tmp_path / "half.ckpt")
    assert (resumed.generator_step, resumed.batches_seen) == (6, 6)
    assert torch.equal(learned(whole), learned(resumed))


# --- clips of all kinds ---


def test_clips_without_flow_get_it_and_the_run_says_so(
    cyclegan: Build, batches: Batches, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = train(cyclegan(), batches(2, flow=False)).callback_metrics
    assert capsys.readouterr().out.count("The content clips bring no flow: it is estimated by DISFlow.") == 1
    assert logged["train/temporal"] > 0
    logged = train(cyclegan(flow=None), batches(2, flow=False)).callback_metrics
    assert capsys.readouterr().out.count("The content clips bring no flow and none is estimated") == 1
    assert logged["train/temporal"] == 0
    for options in ({"temporal_weight": 0.0}, {"temporal": "unwarped"}):
        train(cyclegan(**options), batches(1, flow=False))
        assert "flow" not in capsys.readouterr().out  # not needed, not estimated


def test_a_critic_that_aligns_gets_flow_for_both_domains(
    cyclegan: Build, batches: Batches, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    aligned = partial(TemporalPatchGAN, 4, 2, "none", True)
    method = cyclegan(temporal_critic=aligned, clip_pool=0, penalty="gradient")
    train(method, batches(1))  # whose style brings no flow
    assert "The style clips bring no flow: it is estimated by DISFlow." in capsys.readouterr().out
    assert method.generator_step == 1


def test_single_frames_make_plain_cyclegan(cyclegan: Build, batches: Batches, train: Train) -> None:
    logged = train(cyclegan(temporal_critic=None), batches(2, frames=1)).callback_metrics
    assert {name for name in logged if name.startswith("train/")} == {
        *(f"train/{term}" for term in ("image", "cycle", "identity", "temporal", "tone")),
        *("train/style_critic", "train/content_critic"),
    }
    assert logged["train/temporal"] == 0


def test_bfloat16_is_close_to_float32(cyclegan: Build, batches: Batches, train: Train) -> None:
    options: dict[str, Any] = {"palette_weight": 30.0, "texture_weight": 9.0, "penalty": "gradient", "gram_weight": 0.1}
    method = cyclegan(**options, extractor=Features)
    half = train(method, batches(1, side=32), precision="bf16-mixed").callback_metrics
    full = train(cyclegan(**options, extractor=Features), batches(1, side=32)).callback_metrics
    for name, value in full.items():
        torch.testing.assert_close(half[name], value, atol=5e-3, rtol=3e-2, msg=name)
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in method.parameters())
