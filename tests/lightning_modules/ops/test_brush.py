"""Strokes: along what they are painted on, as strong as asked, on the scene and not on the screen."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.brush import GAIN, PARTS, REACH, Brush, steerable, turned
from lightning_modules.ops.filters import filtered, slopes, smoothed
from lightning_modules.ops.fold import bordered, fold, unfold
from lightning_modules.ops.lines import FindLines, Lines, folded_slopes

SIDE = 128


def lines_of(full: Tensor) -> Lines:
    """Of pictures ``(N, 3, H, W)``."""
    return FindLines()(filtered(fold(F.avg_pool2d(full, 2), 2), folded_slopes()))


def drawn(full: Tensor) -> Tensor:
    """Strokes of pictures ``(N, 3, H, W)``, as strong everywhere, ``(N, 1, H, W)``."""
    lines = lines_of(full)
    return unfold(Brush()(fold(full.mean(1, keepdim=True), 4), torch.ones_like(lines.cos), lines), 4)


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
    return pictures[..., 24:-24, 24:-24]


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
    full = torch.randn(2, 3, SIDE, SIDE)
    right, down = slopes(smoothed(F.avg_pool2d(full, 2).mean(1, keepdim=True))).flip(1).chunk(2, 1)
    products = torch.cat([right * right - down * down, 2 * right * down, right * right + down * down], 1)
    row = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0]) / 25
    tent = torch.outer(row, row).expand(3, 1, 9, 9)
    around = F.interpolate(F.conv2d(F.avg_pool2d(products, 2), tent, padding=4, groups=3), scale_factor=2, mode="bilinear")
    first, second, steep = around.chunk(3, 1)
    cos, sin = (F.interpolate(-part / steep, scale_factor=2, mode="bilinear") for part in (first, second))
    even, across, aslant = F.conv2d(full.mean(1, keepdim=True), GAIN * steerable(), padding=REACH).chunk(PARTS, 1)
    torch.testing.assert_close(inner(drawn(full)), inner(even + cos * across + sin * aslant), atol=1e-3, rtol=1e-3)


def test_strokes_are_as_strong_as_asked_at_every_half_size_pixel() -> None:
    light, lines, share = torch.randn(1, 16, 32, 32), lines_of(leaves()), torch.ones(1, 4, 32, 32)
    there = share * (torch.arange(32) < 16)
    whole, half, part = (Brush()(light, strength, lines) for strength in (share, share / 2, there))
    torch.testing.assert_close(whole, 2 * half)
    torch.testing.assert_close(part[..., :15], whole[..., :15])
    assert part[..., 17:].abs().max() == 0


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_strokes_follow_the_lines_of_a_picture(angle: float) -> None:
    generator = torch.Generator().manual_seed(1)
    rough = 0.3 * torch.randn(1, 1, SIDE, SIDE, generator=generator).expand(1, 3, -1, -1)
    plain, strokes = rough - F.avg_pool2d(rough, 5, 1, 2), drawn(waves(angle) + rough)
    turn = math.radians(angle)
    steps = (round(2 * math.cos(turn)), round(2 * math.sin(turn)))

    def alike(picture: Tensor, right: int, down: int) -> float:
        return correlation(inner(picture), inner(picture.roll((down, right), (2, 3))))

    added = strokes - drawn(waves(angle))
    assert alike(added, *steps) > 0.2 > alike(plain, *steps)
    assert alike(added, -steps[1], steps[0]) < 0  # across


def test_nothing_is_drawn_on_what_is_even_or_rises_evenly() -> None:
    even = torch.linspace(-1, 1, 50).view(-1, 1, 1, 1).expand(-1, 3, 32, 32)
    assert drawn(even).abs().max() < 1e-5
    ramp = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
    assert inner(drawn(ramp)).abs().max() < 1e-5
    step = float(ramp[0, 0, 0, 1] - ramp[0, 0, 0, 0])
    assert drawn(ramp).abs().max() < 4 * step  # at the edge the ramp ends


def test_the_border_is_made_of_pixels_at_the_edge() -> None:
    blocks = torch.randn(2, 3, 8, 12)
    torch.testing.assert_close(bordered(fold(blocks, 4), 4), fold(F.pad(blocks, (4, 4, 4, 4), mode="replicate"), 4))


@pytest.mark.parametrize("shift", [1, 2, 4, 8])
def test_strokes_move_with_the_scene(shift: int) -> None:
    here, there = drawn(leaves()), drawn(leaves(shift))
    apart = inner(here[..., shift:] - there[..., : SIDE - shift])
    whole_blocks = shift % 4 == 0  # by part of a block the slopes around are measured a little elsewhere
    assert apart.std() < (1e-5 if whole_blocks else 0.06) * here.std()


def test_noise_changes_them_less_than_detail_that_knows_no_direction_and_is_as_strong() -> None:
    noise = 0.05 * torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    picture = waves(30)

    def detail(full: Tensor) -> Tensor:
        light = full.mean(1, keepdim=True)
        return light - smoothed(light)

    as_strong = inner(drawn(picture)).std() / inner(detail(picture)).std()
    strokes, other = (inner(draw(picture + noise) - draw(picture)).std() for draw in (drawn, detail))
    assert strokes < 0.5 * as_strong * other


def test_a_gradient_goes_back_to_brightness_and_not_through_the_lines() -> None:
    light, share, slope = (torch.rand(1, channels, 8, 8, requires_grad=True) for channels in (16, 4, 16))
    lines = FindLines()(slope)
    assert not any(part.requires_grad for part in lines)
    Brush()(light, share, lines).square().sum().backward()
    for given in (light, share):
        assert given.grad is not None
        assert given.grad.abs().sum() > 0
    assert slope.grad is None


def test_the_filters_are_fixed_and_not_saved() -> None:
    for part in (Brush(), FindLines()):
        assert not part.state_dict()
        assert not list(part.parameters())
