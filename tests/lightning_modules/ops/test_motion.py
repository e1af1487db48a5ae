"""Made-up motion: smooth, in proportion, and decided by its generator alone."""

import pytest
import torch

from lightning_modules.ops.flow import compose, invert
from lightning_modules.ops.motion import deform, random_smooth_flow
from lightning_modules.ops.warp import warp


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_generator_decides() -> None:
    flow = random_smooth_flow(2, 24, 32, generator())
    torch.rand(3)  # other draws do not matter
    assert torch.equal(random_smooth_flow(2, 24, 32, generator()), flow)
    assert not torch.equal(random_smooth_flow(2, 24, 32, generator(1)), flow)
    assert not torch.equal(flow[0], flow[1])


def test_larger_pictures_move_in_proportion() -> None:
    small, large = (random_smooth_flow(3, side, side, generator()) for side in (64, 256))
    assert large.shape == (3, 2, 256, 256)
    torch.testing.assert_close(large[..., 2::4, 2::4] / 4, small, atol=0.15, rtol=0)


def test_is_large_enough_to_matter_and_smooth_enough_to_undo() -> None:
    flow = random_smooth_flow(16, 256, 256, generator())
    assert 4 < flow.square().mean().sqrt() < 10  # shift of up to 10 px: 5.8; noise of 8 px, smoothed
    assert flow.abs().max() < 40
    assert flow.diff(dim=-1).abs().max() < 0.5
    assert flow.diff(dim=-2).abs().max() < 0.5
    assert (flow - flow.mean((2, 3), keepdim=True)).abs().mean() > 0.5  # more than a shift
    assert compose(flow, invert(flow))[..., 64:192, 64:192].abs().max() < 0.02


def test_deform_warps_and_adds_noise() -> None:
    frames = torch.rand(2, 3, 3, 48, 48) * 2 - 1
    flow = random_smooth_flow(2, 48, 48, generator())[:, None].expand(2, 3, 2, 48, 48)
    assert torch.equal(deform(frames, flow, 0.0, generator()), warp(frames, flow))
    noise = deform(frames, flow, 0.01, generator(4)) - warp(frames, flow)
    assert noise.std().item() == pytest.approx(0.01, rel=0.05)
    assert noise.mean().item() == pytest.approx(0, abs=5e-4)
