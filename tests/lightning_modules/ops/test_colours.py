"""Pale frames get more colour, areas beyond a style's colours come back to their edge; light stays what it is."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.colours import AXES, LUMA, MOST, SPREAD, WITHIN, RaisedColours, StyleColours, style_moments
from lightning_modules.ops.detail import Summarise
from lightning_modules.ops.fold import fold, unfold


def chroma(pixels: Tensor) -> Tensor:
    """``(N, 3, H, W)`` to ``(N, 2, H, W)``."""
    return torch.einsum("ac,nchw->nahw", AXES.to(pixels), pixels)


def spread(pixels: Tensor) -> Tensor:
    """Of the blocks' chroma around its mean, for each picture."""
    pixels = F.avg_pool2d(pixels, 2)
    away = chroma(pixels) - chroma(pixels).mean((-2, -1), keepdim=True)
    return away.square().sum(1).mean((-2, -1)).sqrt()


def raised(pixels: Tensor) -> Tensor:
    module, blocks = RaisedColours(), fold(pixels, 2)
    missing = module.missing(Summarise(4)(blocks)).view(-1, 1, 1, 1)
    return unfold(module(blocks, missing), 2) - module.moved(pixels.mean((2, 3), keepdim=True), missing)


def test_the_axes_lie_across_grey() -> None:
    torch.testing.assert_close(AXES @ AXES.T, torch.eye(2))
    torch.testing.assert_close(AXES.sum(1), torch.zeros(2), atol=1e-7, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pale_frames_are_raised_and_others_are_not(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    noise = torch.randn(3, 3, 24, 32)
    noise = noise / spread(noise)[:, None, None, None]
    wanted = torch.tensor([0.1, SPREAD + 0.01, 0.02])
    pixels = (noise * wanted.view(3, 1, 1, 1) + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)).to(memory_format=layout)
    result = raised(pixels)
    torch.testing.assert_close(spread(result), torch.tensor([SPREAD, SPREAD + 0.01, 0.02 * MOST]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(result.mean(1), pixels.mean(1))
    torch.testing.assert_close(result.mean((-2, -1)), pixels.mean((-2, -1)))
    torch.testing.assert_close(result[1], pixels[1])


def test_one_colour_and_grey_stay() -> None:
    for colour in ((0.3, -0.2, 0.1), (0.5, 0.5, 0.5)):
        pixels = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 8, 8)
        torch.testing.assert_close(raised(pixels), pixels)


def style() -> tuple[StyleColours, Tensor, Tensor]:
    """One that has learned colours of this mean and covariance."""
    torch.manual_seed(0)
    centre, covariance = torch.tensor([0.1, -0.05]), torch.tensor([[0.04, 0.012], [0.012, 0.01]])
    values = torch.linalg.cholesky(covariance) @ torch.randn(2, 8 * 64 * 64)
    values = values - values.mean(1, keepdim=True) + centre[:, None]
    pictures = torch.einsum("ac,an->cn", AXES, values) + torch.randn(8 * 64 * 64) * 0.3
    module = StyleColours()
    for part in pictures.view(3, 8, 64, 64).transpose(0, 1).split(2):
        module.learn(style_moments(part))
    return module, centre, torch.cov(values)


def held(module: StyleColours, pixels: Tensor) -> Tensor:
    return unfold(module(fold(pixels, 2)), 2)


@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.0, 1.0), (-0.6, 0.8), (0.7, 0.7)])
def test_areas_beyond_the_style_come_back_to_the_edge_of_its_colours(direction: tuple[float, float]) -> None:
    module, centre, covariance = style()
    for far in (0.5, 1.0, 3.0, 10.0):
        away = torch.tensor(direction)
        away = away / (away @ torch.linalg.inv(covariance) @ away).sqrt() * far  # so many standard deviations
        pixels = (AXES.T @ (centre + away) + 0.2).view(1, 3, 1, 1).expand(1, 3, 16, 16)
        result = held(module, pixels)
        expected = centre + away * min(1.0, WITHIN / far)
        torch.testing.assert_close(chroma(result), expected.view(1, 2, 1, 1).expand(1, 2, 16, 16), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(result.mean(1), pixels.mean(1))


def test_contrasts_keep_colours_that_areas_do_not() -> None:
    module, centre, _ = style()
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8)
    pixels = torch.einsum("ca,a->c", AXES.T, centre).view(1, 3, 1, 1) + 0.5 * AXES[0].view(1, 3, 1, 1) * checks
    torch.testing.assert_close(held(module, pixels), pixels)


def test_contrasts_of_an_area_beyond_pale_with_it() -> None:
    module, centre, covariance = style()
    across = torch.linalg.cholesky(covariance)[:, 1]  # one standard deviation
    area, stroke = AXES.T @ (centre + 3 * across), AXES.T @ across * 0.2
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8)
    pixels = area.view(1, 3, 1, 1) + stroke.view(1, 3, 1, 1) * checks
    result = held(module, pixels)
    torch.testing.assert_close(chroma(result).mean((2, 3))[0], centre + WITHIN * across, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(result[..., :-1] - result[..., 1:], (pixels[..., :-1] - pixels[..., 1:]) * WITHIN / 3)


def test_holds_nothing_back_before_it_knows_a_style() -> None:
    pixels = torch.rand(1, 3, 16, 16) * 2 - 1
    assert torch.equal(held(StyleColours(), pixels), pixels)


def test_a_style_without_colour_makes_areas_grey() -> None:
    module = StyleColours()
    module.learn(style_moments(torch.rand(2, 1, 8, 8).expand(-1, 3, -1, -1)))
    result = held(module, torch.tensor([0.9, -0.3, 0.2]).view(1, 3, 1, 1).expand(1, 3, 16, 16))
    assert chroma(result).abs().max() < 0.01


def strokes_of(colour: list[float], noise: float = 0.0) -> StyleColours:
    """One that has learned pictures of a wide slope of other colours with strokes of this one on it."""
    slope = torch.tensor([0.3, -0.2, 0.5]).view(3, 1, 1) * torch.linspace(-1, 1, 64)
    light = 0.1 * torch.randn(4, 1, 64, 64)
    module = StyleColours()
    module.learn(style_moments(slope + torch.tensor(colour).view(3, 1, 1) * light + noise * torch.randn(4, 3, 64, 64)))
    return module


def test_strokes_have_the_colour_that_varies_with_luma_from_place_to_place() -> None:
    torch.manual_seed(0)
    for colour in ([1.0, 1.0, 1.0], [1.1, 1.02, 0.5]):
        wanted = torch.tensor(colour) / (LUMA @ torch.tensor(colour))
        torch.testing.assert_close(strokes_of(colour).stroke, wanted, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(strokes_of(colour, 0.01).stroke, wanted, atol=0.05, rtol=0)


def test_strokes_are_grey_without_a_style_and_never_very_strong_in_one_colour() -> None:
    assert torch.equal(StyleColours().stroke, torch.ones(3))
    torch.testing.assert_close(strokes_of([0.0, 0.0, 0.0]).stroke, torch.ones(3), atol=1e-3, rtol=0)
    for colour in ([0.0, 0.0, 1.0], [-1.0, 1.0, 0.5]):
        strokes = strokes_of(colour).stroke
        assert strokes.min() >= 0
        assert strokes.max() <= 2
        assert strokes @ LUMA == pytest.approx(1, abs=1e-5)
        assert strokes.argmax() == torch.tensor(colour).argmax()
        assert (strokes - 1).abs().max() == pytest.approx(1, abs=1e-5)  # as far from grey as may be


def test_moments_are_found_in_full_precision() -> None:
    pictures = torch.rand(2, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(style_moments(pictures), style_moments(pictures.float()))
    rounded = pictures.bfloat16()
    torch.testing.assert_close(style_moments(rounded), style_moments(rounded.float()), atol=0, rtol=0)


def test_shares_of_a_batch_count_as_much_and_another_style_begins_anew() -> None:
    parts = [torch.rand(2, 3, 8, 8) * 2 - 1 for _ in range(3)]
    whole, split = StyleColours(), StyleColours()
    for module, pieces, share in ((whole, [torch.cat(parts[:2]), torch.cat(parts[1:])], 1.0), (split, [0, 1, 1, 2], 0.5)):
        for piece in pieces:
            module.learn(style_moments(parts[piece] if isinstance(piece, int) else piece), share)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(split.state_dict()[name], value)
    whole.learn(style_moments(parts[0]), anew=True)
    torch.testing.assert_close(whole.moments, style_moments(parts[0]))


def test_what_was_learned_is_saved() -> None:
    module, _, _ = style()
    again = StyleColours()
    again.load_state_dict(module.state_dict())
    pixels = torch.rand(1, 3, 16, 16) * 2 - 1
    assert torch.equal(held(again, pixels), held(module, pixels))
    assert not torch.equal(held(again, pixels), pixels)
    assert torch.equal(again.stroke, module.stroke)
    assert not torch.equal(again.stroke, torch.ones(3))
