"""The five objectives against their textbook form, written out number by number."""

import math
from typing import get_args

import pytest
import torch

from lightning_modules.losses.adversarial import AdversarialKind, critic_loss, generator_loss, undecided

KINDS = get_args(AdversarialKind)
REAL = [[0.3, -1.2, 2.5], [0.0, 1.7, -0.4]]
FAKE = [[-0.7, 0.9, -2.0], [1.4, 0.1, -0.3]]

# What one logit costs: the generator, the critic when real, the critic when generated. D is the probability of real.
TEXTBOOK = {
    "minimax": (lambda x: math.log(1 - d(x)), lambda x: -math.log(d(x)), lambda x: -math.log(1 - d(x))),
    "nonsaturating": (lambda x: -math.log(d(x)), lambda x: -math.log(d(x)), lambda x: -math.log(1 - d(x))),
    "lsgan": (lambda x: (x - 1) ** 2, lambda x: (x - 1) ** 2, lambda x: x**2),
    "hinge": (lambda x: -x, lambda x: max(0.0, 1 - x), lambda x: max(0.0, 1 + x)),
    "wasserstein": (lambda x: -x, lambda x: -x, lambda x: x),
}


def d(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def mean(function, rows) -> float:
    return sum(sum(function(x) for x in row) / len(row) for row in rows) / len(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_textbook(kind: AdversarialKind) -> None:
    generator, on_real, on_fake = TEXTBOOK[kind]
    real, fake = torch.tensor(REAL).view(2, 1, 1, 3), torch.tensor(FAKE).view(2, 1, 3, 1)
    assert generator_loss(kind, fake).item() == pytest.approx(mean(generator, FAKE), abs=1e-6)
    assert critic_loss(kind, real, fake).item() == pytest.approx(mean(on_real, REAL) + mean(on_fake, FAKE), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_generator_and_critic_pull_in_opposite_directions(kind: AdversarialKind) -> None:
    real, fake, wanted = (torch.full((2, 1, 3, 3), 0.2, requires_grad=True) for _ in range(3))
    critic_loss(kind, real, fake).backward()
    generator_loss(kind, wanted).backward()
    assert (real.grad < 0).all()  # descending raises the score of real
    assert (fake.grad > 0).all()  # and lowers that of generated clips
    assert (wanted.grad < 0).all()


def test_nonsaturating_still_teaches_where_minimax_does_not() -> None:
    slopes = {}
    for kind in ("minimax", "nonsaturating"):
        logit = torch.tensor([[-20.0]], requires_grad=True)  # the critic is sure
        generator_loss(kind, logit).backward()
        slopes[kind] = -logit.grad.item()
    assert slopes["nonsaturating"] == pytest.approx(1, abs=1e-6)
    assert slopes["minimax"] < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_and_half_precision_logits_stay_finite(kind: AdversarialKind) -> None:
    logits = torch.tensor([[300.0], [-300.0]], dtype=torch.bfloat16)
    losses = generator_loss(kind, logits), critic_loss(kind, logits, logits)
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"wasserstein"}))
def test_an_undecided_critic_gives_real_and_generated_the_same_score(kind: AdversarialKind) -> None:
    # The least loss that one score for everything can reach.
    scores = torch.linspace(-3, 3, 6001).view(-1, 1, 1)
    best = min(critic_loss(kind, score, score).item() for score in scores)
    assert undecided(kind) == pytest.approx(best, abs=1e-6)


def test_a_wasserstein_critic_is_never_certain() -> None:
    assert undecided("wasserstein") is None


def test_unknown_kind_names_the_known_ones() -> None:
    logits = torch.zeros(1, 1)
    for call in (lambda: generator_loss("ls", logits), lambda: critic_loss("ls", logits, logits), lambda: undecided("ls")):
        with pytest.raises(ValueError, match="minimax, nonsaturating, lsgan, hinge, wasserstein, got 'ls'"):
            call()
