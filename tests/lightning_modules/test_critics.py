"""A critic in training: its objective, its memory, its penalty when due, and what it refuses."""

import pytest
import torch
from torch import Tensor

from lightning_modules.critics import Critic
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.losses.adversarial import AdversarialKind, critic_loss, generator_loss
from lightning_modules.losses.gradient_penalty import gradient_penalty, r1_penalty
from lightning_modules.slots import Slots


def slots(update: int = 0, seed: int = 0) -> Slots:
    return Slots(seed, update, 2)


def pictures(seed: int, count: int = 2) -> Tensor:
    return torch.rand(count, 3, 12, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def clips(seed: int) -> Tensor:
    return torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def critic(norm: str = "none", pool: int = 0, **options: object) -> Critic:
    torch.manual_seed(0)
    settings = {"adversarial": "lsgan", "penalty": "none", "weight": 10.0, "every": 1} | options
    network = PatchGAN(4, 1, norm)
    with torch.no_grad():  # at its start a critic is nearly flat, and its penalties would not be noticed
        for parameter in network.parameters():
            parameter *= 10
    return Critic(network, pool, **settings)


def whole(parts: tuple[Tensor, Tensor | None]) -> Tensor:
    loss, penalty = parts
    return loss if penalty is None else loss + penalty


@pytest.mark.parametrize("kind", ["minimax", "nonsaturating", "lsgan", "hinge", "wasserstein"])
def test_minimises_its_objective(kind: AdversarialKind) -> None:
    judge = critic(adversarial=kind)
    painted, real = pictures(1), pictures(2)
    expected = critic_loss(kind, judge.network(real), judge.network(painted))
    loss, penalty = judge.loss(painted, real, slots())
    torch.testing.assert_close(loss, expected)
    assert penalty is None
    torch.testing.assert_close(judge.deceived(painted), generator_loss(kind, judge.network(painted)))


def test_batch_norm_sees_real_and_painted_apart() -> None:
    judge = critic("batch")
    painted, real = pictures(1), 0.1 * pictures(2)
    expected = critic_loss("lsgan", judge.network(real), judge.network(painted))
    torch.testing.assert_close(judge.loss(painted, real, slots())[0], expected)
    together = judge.network(torch.cat([painted, real]))
    assert not torch.isclose(critic_loss("lsgan", together[2:], together[:2]), expected)


def test_no_gradient_reaches_what_was_painted() -> None:
    for penalty in ("none", "gradient", "r1"):
        painted = pictures(1).requires_grad_()
        whole(critic(penalty=penalty).loss(painted, pictures(2), slots())).backward()
        assert painted.grad is None


def test_the_painter_is_told_how_to_deceive() -> None:
    painted = pictures(1).requires_grad_()
    critic().deceived(painted).backward()
    assert painted.grad is not None
    assert painted.grad.abs().sum() > 0


def test_is_shown_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, seen = critic(pool=2), []
    score = judge.score
    monkeypatch.setattr(judge, "score", lambda frames, flow=None: seen.append(frames) or score(frames, flow))
    first, later = pictures(1), pictures(5)
    judge.loss(first, pictures(2), slots())  # fills it
    for seed in range(8):
        judge.loss(later, pictures(2), slots(seed=seed))
    shown = [picture for frames in seen[1:] for picture in frames[:2]]
    for known in (*first, *later):
        assert any(torch.equal(picture, known) for picture in shown)


def test_penalties_come_apart_from_the_loss_and_weighted() -> None:
    painted, real = pictures(1), pictures(2)
    plain, _ = critic().loss(painted, real, slots())
    judge = critic(penalty="r1", weight=3.0)
    torch.testing.assert_close(judge.loss(painted, real, slots()), (plain, 3 * r1_penalty(judge.network, real)))
    judge = critic(penalty="gradient", weight=3.0)
    epsilon = torch.tensor([draws.random() for draws in slots().draws("critic penalty")])
    expected = 3 * gradient_penalty(judge.network, real, painted, epsilon)
    torch.testing.assert_close(judge.loss(painted, real, slots()), (plain, expected))


@pytest.mark.parametrize("every", [2, 5])
def test_lazy_penalties_amount_to_eager_ones(every: int) -> None:
    painted, real = pictures(1), pictures(2)
    lazy, eager = critic(penalty="r1", every=every), critic(penalty="r1")
    losses = [whole(lazy.loss(painted, real, slots(step))) for step in range(10)]
    assert losses[0] > 1.1 * losses[1]
    torch.testing.assert_close(torch.stack(losses).mean(), whole(eager.loss(painted, real, slots())))


def test_a_penalty_of_weight_0_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = critic(penalty="gradient", weight=0.0)
    monkeypatch.setattr(judge, "_penalty", lambda *_: pytest.fail("computed"))
    assert judge.loss(pictures(1), pictures(2), slots())[1] is None


def test_one_number_between_real_and_painted_for_all_frames_of_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Critic(TemporalPatchGAN(4, 2, "none"), 0, "wasserstein", "gradient", 10.0, 1)
    seen: list[Tensor] = []
    score = judge.score
    monkeypatch.setattr(judge, "score", lambda c, flow=None: seen.append(c.detach()) or score(c, flow))
    painted, real = clips(1), clips(2)
    judge.loss(painted, real, slots())
    share = (seen[-1] - painted) / (real - painted)
    for clip in share:
        assert clip.flatten().quantile(0.9) - clip.flatten().quantile(0.1) < 1e-3
    assert abs(share[0].median() - share[1].median()) > 1e-3


def test_flow_reaches_a_critic_that_aligns() -> None:
    torch.manual_seed(0)
    judge = Critic(TemporalPatchGAN(4, 2, "none", aligned=True), 0, "hinge", "r1", 10.0, 1)
    flow = 2 * torch.randn(2, 2, 2, 8, 8, generator=torch.Generator().manual_seed(3))
    losses = [whole(judge.loss(clips(1), clips(2), slots(), "", a, b)) for a, b in ((flow, flow), (-flow, flow), (flow, -flow))]
    assert len({round(loss.item(), 6) for loss in losses}) == 3
    with pytest.raises(ValueError, match="expected flow because aligned=True"):
        judge.loss(clips(1), clips(2), slots())


def test_the_spectral_norm_moves_once_an_update() -> None:
    judge = critic("spectral", penalty="r1")
    judge.train()
    state = {name: value.clone() for name, value in judge.network.state_dict().items()}
    for _ in range(3):
        judge.deceived(pictures(1))
        judge.loss(pictures(1), pictures(2), slots())
    assert all(torch.equal(value, state[name]) for name, value in judge.network.state_dict().items())
    with torch.no_grad():
        for parameter in judge.network.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    judge.begin_update()
    moved = [
        name
        for name, value in judge.network.state_dict().items()
        if name.endswith("_u") and not torch.equal(value, state[name])
    ]
    assert len(moved) == 2  # that of a single output channel is 1 or -1


def test_all_problems_are_told() -> None:
    assert critic().problems() == []
    assert critic("layer", adversarial="wasserstein", penalty="gradient").problems() == []
    (batch,) = critic("batch", penalty="r1").problems()
    assert "norm=batch couples clips" in batch
    unbounded, every = critic(adversarial="wasserstein", penalty="r1", every=0).problems()
    assert "wasserstein needs penalty=gradient" in unbounded
    assert "penalty_every must be >= 1" in every
    for bad in (-1.0, float("nan"), float("inf")):
        (weight,) = critic(penalty="r1", weight=bad).problems()
        assert f"penalty_weight >= 0 and finite, got 1 and {bad}" in weight
    (flow,) = Critic(TemporalPatchGAN(4, 2, aligned=True), 3, "hinge", "none", 0.0, 1).problems()
    assert "set clip_pool to 0" in flow
