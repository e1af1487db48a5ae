"""A NaN in one term is named, spoils nothing, and training goes on after it."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from torch import Tensor

import lightning_modules.adversarial
import lightning_modules.critics
from datamodules.batch import ClipBatch
from lightning_modules.cyclegan import CycleGAN

Build = Callable[..., CycleGAN]
Batches = Callable[..., list[ClipBatch]]
Train = Callable[..., Trainer]
# Where each generator term is computed.
FUNCTIONS = {
    "image": "lightning_modules.critics.generator_loss",
    "temporal": "lightning_modules.adversarial.warped",
    "palette": "lightning_modules.cyclegan.palette_distance",
    "random_gram": "lightning_modules.adversarial.random_gram_distance",
    "known_motion": "lightning_modules.adversarial.known_motion",
    "total_variation": "lightning_modules.cyclegan.total_variation",
}
WEIGHTS = {"palette_weight": 1.0, "random_gram_weight": 1.0, "known_motion_weight": 1.0, "total_variation_weight": 0.1}


def spoilt(function: Callable[..., Tensor], calls: set[int]) -> Callable[..., Tensor]:
    """The function, with NaN (its gradient too) as the result of some calls, counted from 0."""
    count = iter(range(10**6))
    return lambda *args, **options: function(*args, **options) * (float("nan") if next(count) in calls else 1.0)


def tensors(state: Any) -> Iterator[Tensor]:
    """All there are in a checkpoint: weights, averages, pools, memories, what the optimizers keep."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list):
        for value in state.values() if isinstance(state, dict) else state:
            yield from tensors(value)


class Notes(Callback):
    """After each batch: left-out updates in a row, the weights of the generator and of the critics, what was to blame."""

    def __init__(self) -> None:
        self.skips: list[dict[str, int]] = []
        self.weights: list[tuple[Tensor, Tensor]] = []
        self.blame: list[dict[str, str]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: object) -> None:
        self.skips.append(dict(pl_module.skips))
        sides = [torch.cat([p.detach().flatten() for p in side]) for side, _ in pl_module.parameters_of().values()]
        self.weights.append((sides[0], sides[1]))
        self.blame.append(dict(pl_module.blame))
        assert all(value.isfinite().all() for value in tensors(pl_module.state_dict()))
        assert all(value.isfinite().all() for optimizer in trainer.optimizers for value in tensors(optimizer.state_dict()))

    def moved(self, side: int) -> list[bool]:
        """Whether the weights of a side changed with each batch but the first."""
        return [not torch.equal(before[side], after[side]) for before, after in pairwise(self.weights)]


@pytest.mark.parametrize("term", FUNCTIONS)
def test_a_term_of_the_generators_is_named(
    term: str, cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, name = FUNCTIONS[term].rpartition(".")
    function = getattr(__import__(module, fromlist=[name]), name)
    method, notes = cyclegan(**WEIGHTS, temporal_critic=None), Notes()
    calls = 1 if term not in ("image", "palette", "random_gram") else 2  # in a batch: of each critic, or of each clip
    monkeypatch.setattr(FUNCTIONS[term], spoilt(function, {calls}))  # the first of the second batch
    train(method, batches(4, side=32), [notes])
    assert [skips["generators"] for skips in notes.skips] == [0, 1, 0, 0]
    assert [skips["critics"] for skips in notes.skips] == [0, 0, 0, 0]
    assert notes.blame[1]["generators"].startswith(f"generators: {term} (gradients of to_style")
    assert notes.moved(0) == [False, True, True]  # the step is left out, and those after it are not
    assert notes.moved(1) == [True, True, True]


@pytest.mark.parametrize("term", ["cycle", "identity", "clip"])
def test_terms_that_share_a_function_are_told_apart(
    term: str, cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, notes, weigh = cyclegan(), Notes(), CycleGAN.weigh

    def weighed(self: CycleGAN, terms: dict[str, Callable[[], Tensor]]) -> dict[str, Tensor]:
        return weigh(self, terms | {term: lambda: terms[term]() * float("nan")})

    monkeypatch.setattr(CycleGAN, "weigh", weighed)
    train(method, batches(1), [notes])
    assert notes.blame[0] == {"generators": f"generators: {term} (gradients of to_style, to_content)"}


@pytest.mark.parametrize(
    ("number", "critic"), [*enumerate(["style_critic", "content_critic", "style_clip_critic", "content_clip_critic"])]
)
def test_a_critic_is_named(
    number: int, critic: str, cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, notes = cyclegan(), Notes()
    monkeypatch.setattr(lightning_modules.critics, "critic_loss", spoilt(lightning_modules.critics.critic_loss, {4 + number}))
    train(method, batches(4), [notes])
    assert [skips["critics"] for skips in notes.skips] == [0, 1, 0, 0]
    assert [skips["generators"] for skips in notes.skips] == [0, 0, 0, 0]
    assert notes.blame[1] == {"critics": f"critics: {critic} (gradients of {critic})"}
    assert notes.moved(1) == [False, True, True]


def test_a_penalty_is_named(cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    method, notes = cyclegan(penalty="r1"), Notes()
    monkeypatch.setattr(lightning_modules.critics, "r1_penalty", spoilt(lightning_modules.critics.r1_penalty, {1}))
    train(method, batches(2), [notes])
    assert [skips["critics"] for skips in notes.skips] == [1, 0]
    assert notes.blame[0]["critics"].startswith("critics: content_critic_penalty (")


def test_a_nan_in_either_half_leaves_the_whole_update_out(
    cyclegan: Build, batches: Batches, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, notes = cyclegan(accumulate=2), Notes()
    function = lightning_modules.adversarial.warped
    monkeypatch.setattr("lightning_modules.adversarial.warped", spoilt(function, {2, 7}))  # first half, second half
    train(method, batches(10), [notes])
    assert [skips["generators"] for skips in notes.skips[1::2]] == [0, 1, 0, 1, 0]
    assert notes.blame[3]["generators"].startswith("generators: temporal (")
    assert notes.moved(0)[2::2] == [False, True, False, True]
    assert method.generator_step == 5


def test_pictures_that_are_not_finite_are_not_remembered(cyclegan: Build, batches: Batches, train: Train) -> None:
    method, notes, damaged = cyclegan(palette_weight=1.0), Notes(), batches(4, side=32)
    damaged[1].content.frames[0, 0, 0, 3, 4] = float("nan")
    train(method, damaged, [notes])
    assert [skips["generators"] for skips in notes.skips] == [0, 1, 0, 0]
    assert [skips["critics"] for skips in notes.skips] == [0, 1, 0, 0]
