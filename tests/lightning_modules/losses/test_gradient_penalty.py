"""Penalties where the slope of the critic is known by hand."""

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.losses.gradient_penalty import gradient_penalty, r1_penalty

FRAMES, CLIPS = (4, 3, 5, 6), (4, 2, 3, 5, 6)


@pytest.fixture
def draws() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def numbers(shape, draws: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize("shape", [FRAMES, CLIPS])
@pytest.mark.parametrize("length", [0.0, 0.3, 1.0, 2.5])
def test_linear_critic_gives_its_slope_for_any_data(shape, length: float, draws: torch.Generator) -> None:
    w = numbers(shape[1:], draws)
    w = length * w / w.norm()
    value = gradient_penalty(
        lambda x: (x * w).flatten(1).sum(1), numbers(shape, draws), 7 * numbers(shape, draws), torch.rand(4, generator=draws)
    )
    assert value.item() == pytest.approx((length - 1) ** 2, abs=1e-9)


def test_the_scalar_critic_is_the_mean_over_patches(draws: torch.Generator) -> None:
    # Thirty patches with slopes of their own: what counts is the slope of their mean. Summed patches would give 30 times it.
    w = numbers((30, 90), draws)
    critic = lambda x: (x.flatten(1) @ w.T).view(len(x), 1, 5, 6)  # noqa: E731
    value = gradient_penalty(critic, numbers(FRAMES, draws), numbers(FRAMES, draws), torch.rand(4, generator=draws))
    slope = sum(w[k] for k in range(30)) / 30
    assert value.item() == pytest.approx((slope.norm().item() - 1) ** 2)
    assert r1_penalty(critic, numbers(FRAMES, draws)).item() == pytest.approx(slope.norm().item() ** 2 / 2)


def test_one_epsilon_for_all_frames_of_a_clip(draws: torch.Generator) -> None:
    real, fake, epsilon = numbers(CLIPS, draws), numbers(CLIPS, draws), torch.tensor([0.0, 0.25, 0.6, 1.0])
    # D(x) = |x|^2 / 2 has the slope x itself, so the penalty shows the interpolate.
    value = gradient_penalty(lambda x: x.square().flatten(1).sum(1) / 2, real, fake, epsilon)
    expected = 0.0
    for b, share in enumerate([0.0, 0.25, 0.6, 1.0]):
        between = torch.stack([share * real[b, t] + (1 - share) * fake[b, t] for t in range(2)])
        expected += (between.norm().item() - 1) ** 2 / 4
    assert value.item() == pytest.approx(expected, rel=1e-6)


def test_order_within_the_batch_does_not_matter(draws: torch.Generator) -> None:
    real, fake, epsilon = numbers(CLIPS, draws), numbers(CLIPS, draws), torch.rand(4, generator=draws)
    order = torch.tensor([2, 0, 3, 1])
    critic = lambda x: x.sin().flatten(1).sum(1)  # noqa: E731
    value = gradient_penalty(critic, real, fake, epsilon)
    assert gradient_penalty(critic, real[order], fake[order], epsilon[order]).item() == pytest.approx(value.item())


def test_is_differentiable_in_the_critic_and_in_nothing_else(draws: torch.Generator) -> None:
    real, fake = numbers((3, 4), draws), numbers((3, 4), draws)
    epsilon = torch.rand(3, generator=draws)
    penalty = lambda w: gradient_penalty(lambda x: (x @ w).tanh(), real, fake, epsilon)  # noqa: E731
    assert torch.autograd.gradcheck(penalty, numbers((4, 5), draws).requires_grad_())
    assert torch.autograd.gradcheck(
        lambda w: r1_penalty(lambda x: (x @ w).tanh(), real), numbers((4, 5), draws).requires_grad_()
    )
    fake.requires_grad_()
    w = numbers((4, 5), draws).requires_grad_()
    penalty(w).backward()
    assert fake.grad is None


def test_runs_in_full_precision_under_autocast(draws: torch.Generator) -> None:
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
    real, fake = torch.randn(FRAMES, generator=draws), torch.randn(FRAMES, generator=draws)
    epsilon = torch.rand(4, generator=draws)
    outside = gradient_penalty(critic, real, fake, epsilon), r1_penalty(critic, real)
    with torch.autocast("cpu", torch.bfloat16):
        within = gradient_penalty(critic, real, fake, epsilon), r1_penalty(critic, real)
    assert within == outside


@pytest.mark.parametrize("shape", [FRAMES, CLIPS])
def test_r1_of_a_quadratic_critic(shape, draws: torch.Generator) -> None:
    real = numbers(shape, draws)
    value = r1_penalty(lambda x: 1.5 * x.square().flatten(1).sum(1), real)  # slope 3 x
    assert value.item() == pytest.approx(sum(4.5 * real[b].square().sum().item() for b in range(4)) / 4)


def test_refuses_an_epsilon_for_each_frame() -> None:
    clips = torch.zeros(CLIPS)
    with pytest.raises(ValueError, match="one epsilon for each clip"):
        gradient_penalty(lambda x: x, clips, clips, torch.zeros(8))
    with pytest.raises(ValueError, match="equally many"):
        gradient_penalty(lambda x: x, clips, clips[:2], torch.zeros(4))
