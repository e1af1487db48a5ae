"""A critic of clips must look at time."""

import pytest
import torch
from torch import nn

from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.losses.gradient_penalty import r1_penalty


@pytest.fixture(autouse=True)
def fixed_weights() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("frames", [3, 4, 7])
def test_takes_any_length_from_three_frames(frames: int) -> None:
    features = TemporalPatchGAN(channels=4).features(torch.randn(2, frames, 3, 32, 40))
    assert [tuple(f.shape[1:]) for f in features] == [
        (4, frames, 16, 20),
        (8, frames, 8, 10),
        (16, frames, 4, 5),
        (1, frames, 2, 3),
    ]


def test_kernels_span_three_frames_and_five_pixels() -> None:
    convolutions = [m for m in TemporalPatchGAN(channels=4, layers=4).modules() if isinstance(m, nn.Conv3d)]
    assert len(convolutions) == 5
    for conv in convolutions:
        assert (conv.kernel_size, conv.stride, conv.padding) == ((3, 5, 5), (1, 2, 2), (1, 2, 2))


@pytest.mark.parametrize("norm", ["none", "layer", "instance", "spectral"])
def test_shuffled_frames_get_another_score(norm: str) -> None:
    critic = TemporalPatchGAN(channels=8, norm=norm).eval()
    ramp = torch.linspace(-1, 1, 7).view(1, 7, 1, 1, 1)
    clips = (ramp + 0.3 * torch.randn(1, 1, 3, 32, 32)).expand(2, 7, 3, 32, 32)
    shuffled = clips[:, [3, 0, 6, 1, 5, 2, 4]]
    score, other = critic(clips).mean(), critic(shuffled).mean()
    assert (score - other).abs() > 1e-3 * score.abs()
    torch.testing.assert_close(critic(clips.clone()).mean(), score)


def test_flicker_changes_the_score_of_a_still_clip() -> None:
    critic = TemporalPatchGAN(channels=8).eval()
    still = torch.randn(1, 1, 3, 32, 32).expand(1, 5, 3, 32, 32)
    flicker = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]).view(1, 5, 1, 1, 1)
    assert (critic(still + 0.2 * flicker) - critic(still)).abs().max() > 1e-3


def test_aligned_critic_sees_motion_compensated_frames() -> None:
    critic = TemporalPatchGAN(channels=4, aligned=True, norm="none")
    assert critic.needs_flow
    texture = torch.randn(1, 3, 40, 60)
    clips = torch.stack([texture[..., 4:36, 2 * t : 2 * t + 32] for t in range(5)], dim=1)
    flow = torch.zeros(1, 4, 2, 32, 32)
    seen: list[torch.Tensor] = []
    critic.stages[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    critic(clips, flow)
    flow[:, :, 0] = 2
    critic(clips, flow)
    still, moving = seen
    assert torch.equal(still[:, :3], clips.transpose(1, 2))
    torch.testing.assert_close(still[:, 3:], still[:, :3], atol=1e-4, rtol=0)  # no motion, nothing to compensate
    centre = moving[:, 3:, 2:3].expand(-1, -1, 5, -1, -1)
    torch.testing.assert_close(moving[:, 3:, ..., 8:24], centre[..., 8:24], atol=1e-4, rtol=0)  # stands still


@pytest.mark.parametrize("aligned", [False, True])
def test_gradient_of_a_penalty_is_right(aligned: bool) -> None:
    critic = TemporalPatchGAN(channels=2, layers=1, norm="none", aligned=aligned).double()
    clips, flow = torch.randn(1, 3, 3, 6, 6, dtype=torch.float64), torch.randn(1, 2, 2, 6, 6)
    weight = critic.stages[0][0].weight

    def penalty(weight: torch.Tensor) -> torch.Tensor:
        called = lambda c: torch.func.functional_call(critic, {"stages.0.0.weight": weight}, (c, flow))  # noqa: E731
        return 1e4 * r1_penalty(called, clips)

    assert torch.autograd.gradcheck(
        penalty, (20 * weight[:, :, 1:2]).repeat(1, 1, 3, 1, 1).detach().requires_grad_(), fast_mode=True
    )


def test_short_small_and_flowless_clips_are_refused() -> None:
    critic = TemporalPatchGAN(channels=4, aligned=True)
    with pytest.raises(ValueError, match="at least 3 frames of 8x8, got 2 of 16x16"):
        critic(torch.zeros(1, 2, 3, 16, 16))
    with pytest.raises(ValueError, match="got 3 of 16x4"):
        critic(torch.zeros(1, 3, 3, 16, 4))
    with pytest.raises(ValueError, match="expected flow because aligned=True"):
        critic(torch.zeros(1, 3, 3, 16, 16))


def test_flow_is_not_needed_unless_aligned() -> None:
    critic = TemporalPatchGAN(channels=4).eval()
    clips = torch.randn(1, 3, 3, 16, 16)
    assert not critic.needs_flow
    torch.testing.assert_close(critic(clips), critic(clips, torch.ones(1, 2, 2, 16, 16)))
