"""Where it is light: unchanged by any rising line, blind to strokes, and bound by the correlation computed region by region."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.losses.tone import FLAT, tone_distance


@pytest.fixture
def content() -> Tensor:
    """Frames of 32x48 pixels, brightness changing from region to region."""
    coarse = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(3)) - 0.5
    return coarse.repeat_interleave(2, -2).repeat_interleave(3, -1)


def test_brightness_may_be_scaled_and_shifted_but_not_inverted(content: Tensor) -> None:
    assert tone_distance(content * 3 + 0.4, content).item() < 0.02  # FLAT counts a little
    assert tone_distance(-content, content).item() > 1.95
    assert tone_distance(content.flip(-3), content).item() == pytest.approx(0, abs=1e-6)  # colours are not its concern


def test_it_is_the_correlation_of_regions(content: Tensor) -> None:
    painted = content.flip(1) + 0.2 * content.sin()
    expected = []
    for ours, theirs in zip(painted.flatten(0, 1).double().numpy(), content.flatten(0, 1).double().numpy(), strict=True):
        a, b = (f.mean(0).reshape(16, 2, 16, 3).mean((1, 3)).ravel() for f in (ours, theirs))
        cross = np.cov(a, b, bias=True) + FLAT**2
        expected.append(1 - cross[0, 1] / np.sqrt(cross[0, 0] * cross[1, 1]))
    assert tone_distance(painted, content).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_strokes_within_a_region_cost_nothing(content: Tensor) -> None:
    strokes = torch.tensor([1.0, -1.0]).repeat(16)[:, None].expand(32, 48)  # each region holds one light and one dark row
    assert tone_distance(content + strokes, content).item() == pytest.approx(0, abs=1e-6)


def test_flat_frames_have_no_tone_and_a_finite_gradient(content: Tensor) -> None:
    flat = torch.zeros_like(content, requires_grad=True)
    distance = tone_distance(flat, torch.full_like(content, 0.3))
    assert distance.item() == pytest.approx(0, abs=1e-6)
    tone_distance(flat, content).backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
    assert flat.grad.abs().sum() > 0
