"""Strokes: along what they are painted on, faint ones as strong as clear ones, on the scene and not on the screen."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.brush import COLOURS, FLAT, GAIN, PIXELS, REACH, STEEP, Brush, folded_colours, steerable, turned
from lightning_modules.ops.filters import filtered, slopes, smoothed
from lightning_modules.ops.fold import fold, unfold

SIDE = 64


def seen(half: Tensor) -> tuple[Tensor, Tensor]:
    """What a brush is given of half-size pictures ``(N, 3, h, w)``."""
    folded = filtered(fold(half, 2), folded_colours())
    return folded[:, :12], folded[:, 12:]


def drawn(half: Tensor) -> Tensor:
    """Strokes of half-size pictures ``(N, 3, h, w)``, not in blocks."""
    strokes, _ = Brush()(*seen(half))
    return unfold(strokes.unflatten(1, (COLOURS, PIXELS)).transpose(1, 2).flatten(1, 2), 2)


def waves(angle: float, height: float = 0.2, length: float = 6.0) -> Tensor:
    """Stripes at an angle in degrees, in grey, ``(1, 3, SIDE, SIDE)``."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    turn = math.radians(angle)
    across = columns * math.sin(turn) - rows * math.cos(turn)
    return height * torch.sin(2 * math.pi * across / length).expand(1, 3, -1, -1)


def leaves(shift: int = 0) -> Tensor:
    """A scene of fine detail, of which SIDE pixels are seen from ``shift`` on."""
    generator = torch.Generator().manual_seed(0)
    scene = smoothed(torch.rand(1, 3, 2 * SIDE, 2 * SIDE, generator=generator) - 0.5)
    return scene[..., 16 : 16 + SIDE, 16 + shift : 16 + shift + SIDE]


def inner(pictures: Tensor) -> Tensor:
    """Without what their edges reach."""
    return pictures[..., 12:-12, 12:-12]


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_filters_are_turned_by_cosine_and_sine_of_twice_the_angle() -> None:
    even, first, second = steerable()[:, 0].double()
    turns = [math.pi * i / 16 for i in range(16)]
    for turn in turns[:8]:
        found = even + math.cos(2 * turn) * first + math.sin(2 * turn) * second
        assert correlation(found, turned(turn)) > 0.8
        assert abs(correlation(found, turned(turn + math.pi / 2))) < 0.1
    # Turned by a right angle, they are the same filters.
    torch.testing.assert_close(even - first, torch.rot90(even + first), atol=1e-7, rtol=0)


def test_strokes_in_blocks_are_those_of_the_pixels() -> None:
    half = torch.randn(2, 3, SIDE, SIDE)
    smooth = smoothed(half)
    right, down = slopes(smooth.mean(1, keepdim=True)).flip(1).chunk(2, 1)
    products = torch.cat([right * right - down * down, 2 * right * down, right * right + down * down], 1)
    row = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0]) / 25
    tent = torch.outer(row, row).expand(3, 1, 9, 9)
    around = F.interpolate(F.conv2d(F.avg_pool2d(products, 2), tent, padding=4, groups=3), scale_factor=2, mode="bilinear")
    first, second, steep = around[:, :, None].unbind(1)
    even, cos, sin = (F.conv2d(smooth, part.expand(3, 1, -1, -1), padding=REACH, groups=3) for part in steerable().unbind(0))
    strength = GAIN / ((steep + FLAT**2) * (1 + steep / STEEP**2)).sqrt()
    expected = strength * (even - (cos * first + sin * second) / steep)
    torch.testing.assert_close(inner(drawn(half)), inner(expected), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_strokes_follow_the_lines_of_a_picture(angle: float) -> None:
    generator = torch.Generator().manual_seed(1)
    rough = 0.3 * torch.randn(1, 1, SIDE, SIDE, generator=generator).expand(1, 3, -1, -1)
    plain, strokes = rough - F.avg_pool2d(rough, 5, 1, 2), drawn(waves(angle) + rough)
    turn = math.radians(angle)
    steps = (round(2 * math.cos(turn)), round(2 * math.sin(turn)))

    def along(picture: Tensor) -> float:
        return correlation(inner(picture), inner(picture.roll((steps[1], steps[0]), (2, 3))))

    assert along(strokes - drawn(waves(angle))) > 0.3 > along(plain)


def test_faint_lines_are_drawn_as_strong_as_clear_ones_and_edges_less() -> None:
    strong = []
    for levels in (1, 4, 12, 60):  # mean steps from half-size pixel to the next
        picture = waves(20)
        steep = inner(slopes(smoothed(picture).mean(1, keepdim=True))).square().sum(1).mean().sqrt()
        strong.append(float(inner(drawn(picture * levels / 127.5 / steep)).std()))
    grain, faint, clear, edge = strong
    assert faint == pytest.approx(clear, rel=0.15)
    assert 2.5 * grain < faint > 2.5 * edge
    assert grain > 0.2 * faint  # fades, and does not stop


def test_how_much_is_fine_is_measured_around() -> None:
    half = torch.randn(2, 3, SIDE, SIDE)
    light = half.mean(1, keepdim=True)
    squares = F.avg_pool2d((light - smoothed(light)).square(), 2)
    row = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0]) / 25
    around = F.conv2d(squares, torch.outer(row, row).expand(1, 1, 9, 9), padding=4)
    expected = F.interpolate(around, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(inner(unfold(Brush()(*seen(half))[1], 2)), inner(expected))


def test_nothing_is_drawn_on_what_is_even_or_rises_evenly() -> None:
    even = torch.linspace(-1, 1, 50).view(-1, 1, 1, 1).expand(-1, 3, 32, 32)
    assert drawn(even).abs().max() < 1e-3
    ramp = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
    assert inner(drawn(ramp)).abs().max() < 1e-3


def test_noise_draws_next_to_nothing_and_hardly_moves_strokes() -> None:
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(1, 3, SIDE, SIDE, generator=generator) * 2 * 2 / 255 / 2  # of 2/255 of full range; halving halves it
    assert drawn(noise).std() < 0.1
    assert correlation(inner(drawn(leaves() / 4)), inner(drawn(leaves() / 4 + noise))) > 0.95


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_strokes_move_with_the_scene(shift: int) -> None:
    here, there = drawn(leaves()), drawn(leaves(shift))
    apart = here[..., 16 + shift : 48 + shift] - there[..., 16:48]
    whole_blocks = shift % 2 == 0  # by half a block the slopes around are measured a little elsewhere
    assert apart[..., 12:-12, :].std() < (1e-5 if whole_blocks else 0.06) * here.std()


def test_noise_changes_them_less_than_as_strong_contrasts_that_know_no_direction() -> None:
    noise = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3)) * 2 / 255
    scene = (waves(20, 0.05) + waves(110, 0.05, 20.0)) / 2

    def contrasts(picture: Tensor) -> Tensor:
        return picture - F.avg_pool2d(picture, 5, 1, 2)

    same = inner(drawn(scene)).std() / inner(contrasts(scene)).std()
    strokes, isotropic = (
        inner((draw(scene + noise) * by).tanh() - (draw(scene) * by).tanh()).std()
        for draw, by in ((drawn, 1), (contrasts, same))
    )
    assert strokes < 0.5 * isotropic


def test_a_gradient_goes_back_to_colours_and_not_through_the_direction() -> None:
    colours, slope = torch.randn(1, 12, 8, 8, requires_grad=True), torch.randn(1, 16, 8, 8, requires_grad=True)
    strokes, fine = Brush()(colours, slope)
    assert not fine.requires_grad
    strokes.square().sum().backward()
    assert colours.grad is not None
    assert colours.grad.abs().sum() > 0
    assert slope.grad is None


def test_the_filters_are_fixed_and_not_saved() -> None:
    assert not Brush().state_dict()
    assert not list(Brush().parameters())
