"""Contour lines: evenly close, on the scene and not on the screen, and none where there is nothing."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.contours import FLAT, LEAST, LINES, SPACING, Contours, folded_light
from lightning_modules.ops.filters import filtered, slopes, smoothed
from lightning_modules.ops.fold import fold, unfold

SIDE = 64


def drawn(light: Tensor) -> Tensor:
    """Lines of brightness ``(N, 1, h, w)``, not in blocks."""
    return unfold(lines_of(light.expand(-1, 3, -1, -1)), 2)


def lines_of(half: Tensor) -> Tensor:
    """Lines of half-size frames, in blocks."""
    return Contours()(*filtered(fold(half, 2), folded_light()).split([LINES, 2 * LINES], 1))


def ramp(slope: float, angle: float = 0.0) -> Tensor:
    """Brightness that rises evenly, ``slope`` from pixel to pixel."""
    rows, columns = torch.meshgrid(torch.arange(SIDE) - SIDE / 2, torch.arange(SIDE) - SIDE / 2, indexing="ij")
    turn = torch.tensor(angle).deg2rad()
    return (slope * (turn.cos() * columns + turn.sin() * rows))[None, None]


def hills(shift: int = 0) -> Tensor:
    """A smooth scene in grey, twice as large as what is seen of it, from ``shift`` on."""
    generator = torch.Generator().manual_seed(0)
    scene = F.interpolate(torch.rand(1, 1, 12, 12, generator=generator) - 0.5, 2 * SIDE, mode="bicubic")
    return scene[..., 16 : 16 + SIDE, 16 + shift : 16 + shift + SIDE]


@pytest.mark.parametrize("octave", range(5))
def test_lines_lie_as_close_however_steep_brightness_is(octave: int) -> None:
    lines = drawn(ramp(LEAST * 2**octave / SPACING))[0, 0, SIDE // 2, 8:-8]
    whole, half = int(SPACING), int(SPACING) // 2
    torch.testing.assert_close(lines[whole:], lines[:-whole], atol=0.02, rtol=0)
    torch.testing.assert_close(lines[half:], -lines[:-half], atol=0.02, rtol=0)
    assert lines.std() > 0.6


@pytest.mark.parametrize("between", [0.25, 0.5, 0.75])
def test_one_set_of_lines_fades_into_the_next(between: float) -> None:
    lines = drawn(ramp(LEAST * 2 ** (1 + between) / SPACING))[0, 0, SIDE // 2, 8:-8]
    waves = torch.fft.rfft(lines * torch.hann_window(len(lines))).abs()
    at = round(len(lines) * 2**between / SPACING)
    fine, coarse = float(waves[at - 1 : at + 2].max()), float(waves[at // 2 - 1 : at // 2 + 2].max())
    assert coarse / (fine + coarse) == pytest.approx(between, abs=0.1)


@pytest.mark.parametrize("angle", [30.0, 90.0])
def test_lines_follow_brightness_in_any_direction(angle: float) -> None:
    light = ramp(LEAST * 4 / SPACING, angle)
    lines = drawn(light)[..., 8:-8, 8:-8]
    torch.testing.assert_close(lines, torch.sin(2 * torch.pi * light / (LEAST * 4))[..., 8:-8, 8:-8], atol=0.02, rtol=0)


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_lines_move_with_the_scene(shift: int) -> None:
    here, there = drawn(hills()), drawn(hills(shift))
    apart = here[..., 16 + shift : 48 + shift] - there[..., 16:48]
    whole_blocks = shift % 2 == 0  # by half a block the slopes around are measured a little elsewhere
    assert apart.std() < (1e-5 if whole_blocks else 0.06 * here.std())


def test_noise_hardly_moves_them() -> None:
    generator = torch.Generator().manual_seed(1)
    frames = ramp(1 / 127.5).expand(1, 3, -1, -1)  # half size: a grey level from pixel to pixel
    noise = torch.randn(frames.shape, generator=generator) * 2 * 2 / 255 / 2  # of 2/255 of full range; halving halves it
    clean, noisy = (lines_of(x) for x in (frames, frames + noise))
    together = torch.corrcoef(torch.stack([clean[..., 4:-4, 4:-4].flatten(), noisy[..., 4:-4, 4:-4].flatten()]))
    assert together[0, 1] > 0.9


def test_nothing_is_drawn_on_what_is_even() -> None:
    even = torch.linspace(-1, 1, 50).view(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    assert drawn(even).abs().max() < 1e-3
    assert drawn(ramp(FLAT / 10))[..., 8:-8, 8:-8].abs().max() < 0.15


def test_brightness_is_smoothed_and_its_slopes_are_those_of_what_is_smooth() -> None:
    half = torch.randn(2, 3, 12, 16)
    light, slope = filtered(fold(half, 2), folded_light()).split([LINES, 2 * LINES], 1)
    smooth = smoothed(half).mean(1, keepdim=True)
    torch.testing.assert_close(unfold(light, 2)[..., 2:-2, 2:-2], smooth[..., 2:-2, 2:-2])  # their borders differ
    torch.testing.assert_close(unfold(slope, 2)[..., 2:-2, 2:-2], slopes(smooth)[..., 2:-2, 2:-2])


def test_no_gradient_goes_back() -> None:
    assert not drawn(hills().requires_grad_()).requires_grad


def test_the_filters_are_fixed_and_not_saved() -> None:
    assert not Contours().state_dict()
    assert not list(Contours().parameters())
