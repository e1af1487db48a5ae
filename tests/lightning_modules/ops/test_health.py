"""Numbers of a failing painter: exact where they can be worked out, and apart from those of healthy ones."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.contrast import COARSE
from lightning_modules.ops.health import GRID, measure

NAMES = {"change", "contrast", "tone", "checkerboard", "motion"}


def clips(seed: int = 0, side: int = 64) -> Tensor:
    """Smooth light and shade with fine detail, moving: (2, 3, 3, side, side)."""
    draws = torch.Generator().manual_seed(seed)
    coarse = torch.randn(6, 3, 8, 8, generator=draws)
    fine = 0.1 * torch.randn(6, 3, side, side, generator=draws)
    return (F.interpolate(coarse, (side, side), mode="bicubic") * 0.4 + fine).clamp(-1, 1).unflatten(0, (2, 3))


def numbers(painted: Tensor, content: Tensor) -> dict[str, float]:
    return {name: (above / below).item() for name, (above, below) in measure(painted, content).items() if below > 0}


def test_a_copy() -> None:
    same = {"change": 0.0, "contrast": 1.0, "tone": 1.0, "checkerboard": 0.0, "motion": 1.0}
    assert numbers(clips(), clips()) == pytest.approx(same, abs=1e-6)


def test_an_inversion() -> None:
    found = numbers(-clips(), clips())
    assert found["tone"] == pytest.approx(-1)
    assert found["change"] == pytest.approx(clips().abs().mean().item())  # 2|x| of a range of 2
    assert (found["contrast"], found["motion"]) == pytest.approx((1, 1))


def test_fading_to_one_colour_shows_in_contrast_and_motion_alone() -> None:
    found = numbers(0.1 * clips() + 0.5, clips())
    assert found["contrast"] == pytest.approx(0.01)  # a variance
    assert found["motion"] == pytest.approx(0.1)
    assert found["tone"] == pytest.approx(1)
    assert found["checkerboard"] == pytest.approx(0, abs=1e-6)


def test_the_first_frame_repeated() -> None:
    found = numbers(clips()[:, :1].expand(-1, 3, -1, -1, -1), clips())
    assert found["motion"] == 0
    assert found["contrast"] == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize("period", [2, 4])
def test_a_pattern_is_found_by_its_share_of_the_detail(period: int) -> None:
    draws = torch.Generator().manual_seed(1)
    pattern = torch.randn(1, 1, 3, period, period, generator=draws)
    pattern = (pattern - pattern.mean((-2, -1), keepdim=True)).repeat(1, 1, 1, 64 // period, 64 // period)
    shares = [numbers(clips() + strength * pattern, clips())["checkerboard"] for strength in (0, 0.03, 0.1, 10)]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0, abs=1e-6)
    assert shares[2] > 0.04
    assert shares[3] > 0.95
    # What the input has already is not the painter's.
    assert numbers(clips() + pattern, clips() + pattern)["checkerboard"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("period", [3, 5, 7])
def test_other_periods_and_noise_are_no_checkerboard(period: int) -> None:
    ramp = torch.arange(60) % period == 0
    stripes = 0.2 * (ramp[:, None] ^ ramp).float()
    noise = 0.2 * torch.randn(clips(0, 60).shape, generator=torch.Generator().manual_seed(2))
    for added in (stripes, noise):
        assert abs(numbers(clips(0, 60) + added, clips(0, 60))["checkerboard"]) < 0.02


def test_where_nothing_moves_or_is_to_be_seen_there_is_no_number() -> None:
    still = clips()[:, :1].expand(-1, 3, -1, -1, -1)
    assert set(numbers(still, still)) == NAMES - {"motion"}
    noise = 0.01 * torch.randn(still.shape, generator=torch.Generator().manual_seed(1))  # of a sensor: no motion
    assert set(numbers(still, still + noise)) == NAMES - {"motion"}
    assert set(numbers(clips()[:, :1], clips()[:, :1])) == NAMES - {"motion"}  # single frames
    grey = torch.full_like(clips(), 0.3)
    assert set(numbers(grey, clips())) == NAMES - {"tone", "checkerboard"}
    assert set(numbers(clips(), grey)) == {"change", "checkerboard"}


def test_only_what_moves_is_looked_at() -> None:
    content, painted = clips().clone(), clips().clone()
    content[..., :32] = 0.2  # the left half stands still
    painted[..., :32] = torch.rand(2, 3, 3, 64, 32)  # and flickers in the painting
    assert numbers(painted, content)["motion"] == pytest.approx(1)


@pytest.mark.parametrize("operation", [lambda x: x, lambda x: x.square() - 0.3, lambda x: x.roll(1, -1) * 0.5])
def test_numbers_of_a_batch_come_from_its_clips_sums(operation: Callable[[Tensor], Tensor]) -> None:
    content, painted = clips(), operation(clips())
    whole = measure(painted, content)
    parts = [measure(painted[i : i + 1], content[i : i + 1]) for i in range(2)]
    for name, sums in whole.items():
        for total, *each in zip(sums, *(part[name] for part in parts), strict=True):
            torch.testing.assert_close(total, torch.stack(each).sum(), atol=1e-4, rtol=1e-5)


def test_any_size_and_half_precision() -> None:
    for side in (GRID, 7, COARSE + 3):
        content = clips(0, side)
        assert numbers(content.bfloat16(), content.bfloat16()) == pytest.approx(numbers(content, content), abs=1e-6)
    assert all(
        value.dtype == torch.float32 for pair in measure(clips().bfloat16(), clips().bfloat16()).values() for value in pair
    )
