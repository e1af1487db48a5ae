"""CycleGAN's critic: its size, and what one logit sees."""

import pytest
import torch

from lightning_modules.discriminators.patchgan import PatchGAN


def test_parameters_are_those_of_cyclegan() -> None:
    # 4x4 kernels, a bias each: 3-64, 64-128, 128-256, 256-512, 512-1.
    assert sum(p.numel() for p in PatchGAN().parameters()) == 2_764_737


def test_starts_from_small_normal_weights() -> None:
    torch.manual_seed(0)
    convolutions = [p for p in PatchGAN().parameters() if p.dim() == 4]
    for weight in convolutions[:-1]:
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70)])
def test_one_logit_sees_exactly_its_patch(layers: int, side: int) -> None:
    critic = PatchGAN(channels=2, layers=layers, norm="none").double()
    assert critic.receptive_field == side
    frames = torch.randn(1, 3, 128, 128, dtype=torch.float64, requires_grad=True)
    logits = critic(frames)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = frames.grad[0].abs().sum(0) > 0
    for axis in (0, 1):
        where = seen.any(axis).nonzero()
        assert (where.max() - where.min() + 1).item() == side


def test_map_of_logits() -> None:
    critic = PatchGAN(channels=4)
    features = critic.features(torch.randn(1, 3, 256, 256))
    assert [tuple(f.shape[1:]) for f in features] == [(4, 128, 128), (8, 64, 64), (16, 32, 32), (32, 31, 31), (1, 30, 30)]
    assert torch.equal(critic(torch.zeros(1, 3, 64, 64)), critic.features(torch.zeros(1, 3, 64, 64))[-1])


@pytest.mark.parametrize("layers", [1, 3])
def test_smallest_size_is_the_smallest_that_works(layers: int) -> None:
    critic = PatchGAN(channels=2, layers=layers)
    size = critic.min_size
    assert critic(torch.randn(1, 3, size, size)).shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match=f"at least {size}x{size}, got {size}x{size - 1}"):
        critic(torch.randn(1, 3, size, size - 1))


def test_channels_grow_eightfold_at_most() -> None:
    assert [f.shape[1] for f in PatchGAN(channels=2, layers=5).features(torch.randn(1, 3, 96, 96))] == [2, 4, 8, 16, 16, 16, 1]
