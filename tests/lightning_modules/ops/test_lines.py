"""Lines: where they lie, how steep it is across them, and how much of a picture is fine."""

import math

import pytest
import torch
import torch.nn.functional as F

from lightning_modules.ops.filters import filtered, smoothed
from lightning_modules.ops.fold import fold, unfold
from lightning_modules.ops.lines import FindLines, Lines, folded_slopes

SIDE = 64


def lines_of(half: torch.Tensor) -> Lines:
    """Of half-size pictures ``(N, 3, h, w)``."""
    return FindLines()(filtered(fold(half, 2), folded_slopes()))


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_lines_lie_across_what_is_steepest(angle: float) -> None:
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    turn = math.radians(angle)
    waves = 0.2 * torch.sin((columns * math.sin(turn) - rows * math.cos(turn)) * math.pi / 4)
    lines = lines_of(waves.expand(1, 3, -1, -1))
    inner = slice(8, -8)
    found = math.atan2(lines.sin[..., inner, inner].mean(), lines.cos[..., inner, inner].mean())
    assert math.cos(found - 2 * turn) > math.cos(math.radians(6))  # three degrees: central differences are not quite slopes
    assert (lines.cos.square() + lines.sin.square())[..., inner, inner].mean().sqrt() > 0.95  # they have one direction


def test_noise_has_no_direction_and_what_is_even_has_none_either() -> None:
    noise, even = lines_of(torch.randn(1, 3, SIDE, SIDE)), lines_of(torch.full((1, 3, SIDE, SIDE), 0.3))
    assert (noise.cos.square() + noise.sin.square()).mean().sqrt() < 0.3
    assert max(even.cos.abs().max(), even.sin.abs().max()) < 1e-3


def test_how_much_is_fine_is_measured_around() -> None:
    half = torch.randn(2, 3, SIDE, SIDE)
    light = half.mean(1, keepdim=True)
    squares = F.avg_pool2d((light - smoothed(light)).square(), 2)
    row = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0]) / 25
    around = F.conv2d(squares, torch.outer(row, row).expand(1, 1, 9, 9), padding=4)
    expected = F.interpolate(around, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(unfold(lines_of(half).fine, 2)[..., 12:-12, 12:-12], expected[..., 12:-12, 12:-12])


def test_how_steep_it_is_is_measured_from_half_size_pixel_to_the_next() -> None:
    ramp = 0.02 * torch.arange(SIDE).expand(1, 3, SIDE, SIDE)
    steep = lines_of(ramp).steep[..., 8:-8, 8:-8]
    torch.testing.assert_close(steep, torch.full_like(steep, 0.02**2))
