"""The real-time generator on 4:2:0: what it paints is what it paints of their RGB."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.generators.planes import PlanePainter, as_bytes, to_yuv, turned
from lightning_modules.generators.realtime import RealtimeGenerator, folded_way_down
from lightning_modules.ops.fold import fold, halved

BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)


@pytest.fixture
def network() -> RealtimeGenerator:
    """A little away from its start, so that all of it has a part in the result, and held back by the colours of a style."""
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    generator.observe(torch.tensor([-0.3, 0.05, -0.05, 0.01, 0.0, 0.01, 0.02, 0.02, 0.01]))
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return generator


def planes(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Luma and colours, smooth and none of them strong."""
    coarse = torch.rand(2, 3, height // 8, width // 8) * 60
    luma = F.interpolate(80 + coarse[:, :1], (height, width), mode="bicubic")
    chroma = F.interpolate(98 + coarse[:, 1:], (height // 2, width // 2), mode="bicubic")
    return luma.round().to(torch.uint8), chroma.round().to(torch.uint8)


def as_numbers(values: Tensor, least: float, most: float) -> Tensor:
    """Bytes from ``least`` to ``most`` to numbers from -1 to 1."""
    return (values.float() - (least + most) / 2) * 2 / (most - least)


def as_stored(numbers: Tensor, least: float, most: float) -> Tensor:
    """The reverse, rounded."""
    return as_bytes(numbers * (most - least) / 2 + (least + most) / 2 + 0.5, least, most)


def test_the_matrix_is_that_of_the_standard() -> None:
    # ITU-R BT.601-7, 2.5.1 and 2.5.2
    expected = [[0.299, 0.587, 0.114], [-0.299 / 1.772, -0.587 / 1.772, 0.5], [0.5, -0.587 / 1.402, -0.114 / 1.402]]
    torch.testing.assert_close(to_yuv(*BT601), torch.tensor(expected))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shares", [BT601, BT709])
def test_paints_what_the_generator_paints_of_their_rgb(
    network: RealtimeGenerator, shares: tuple[float, float], full: bool
) -> None:
    luma, chroma = planes(48, 64)
    (low, high), (least, most) = ((0, 255), (0.5, 255.5)) if full else ((16, 235), (16, 240))
    y, colours = as_numbers(luma, low, high), as_numbers(chroma, least, most)
    matrix, painter = to_yuv(*shares), PlanePainter(network, *shares, full)
    pixels = torch.eye(48).view(-1, 3, 4, 4)
    network.light_down.copy_(folded_way_down(pixels, turned(pixels, matrix[:1])))  # fine strokes are of the video's own luma
    stored = torch.cat([y, F.interpolate(colours, scale_factor=2)], 1)  # every four pixels have one colour
    with torch.no_grad():
        painted = torch.einsum("dc,nchw->ndhw", matrix, network(torch.einsum("cd,ndhw->nchw", matrix.inverse(), stored)))
    painted_luma, painted_chroma = painter(luma, chroma)
    assert (painted_luma.float() - luma.float()).abs().mean() > 3  # it did paint
    assert (painted_luma.int() - as_stored(painted[:, :1], low, high).int()).abs().max() <= 1
    steps = (as_numbers(painted_chroma, least, most) - halved(painted[:, 1:])).abs() * (most - least) / 2
    assert steps.max() < 1  # rounding, and the clamp


@pytest.mark.parametrize("full", [False, True])
def test_extremes_stay_in_range(full: bool) -> None:
    network = RealtimeGenerator(24, 1)
    luma, chroma = torch.zeros(1, 1, 16, 32, dtype=torch.uint8), torch.zeros(1, 2, 8, 16, dtype=torch.uint8)
    luma[..., 16:], chroma[..., 8:] = 255, 255
    painted_luma, painted_chroma = PlanePainter(network, *BT709, full)(luma, chroma)
    assert painted_luma[..., 24:].min() > painted_luma[..., :8].max() + 50
    assert painted_chroma[..., 12:].min() > painted_chroma[..., :4].max() + 10
    if not full:
        assert 16 <= painted_luma.min() <= painted_luma.max() <= 235
        assert 16 <= painted_chroma.min() <= painted_chroma.max() <= 240


@pytest.mark.parametrize(("least", "most"), [(0, 255), (16, 235), (16, 240), (0.5, 255.5)])
def test_bytes_come_back_and_what_lies_beyond_is_cut_off(least: float, most: float) -> None:
    values = torch.arange(int(least + 0.5), int(min(most, 255)) + 1, dtype=torch.uint8)
    assert torch.equal(as_stored(as_numbers(values, least, most), least, most), values)
    assert as_stored(torch.tensor([-3.0, 3.0]), least, most).tolist() == [int(least + 0.5), int(min(most, 255))]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shares", [BT601, BT709])
def test_strokes_have_the_shares_of_their_colour(network: RealtimeGenerator, shares: tuple[float, float], full: bool) -> None:
    network.observe(torch.tensor([-0.3, 0.05, -0.05, 0.01, 0.0, 0.01, 0.03, 0.02, 0.0]), anew=True)
    painter = PlanePainter(network, *shares, full)
    luma, blue, red = to_yuv(*shares) @ network.style_colours.stroke
    assert painter.luma_share == pytest.approx(float(luma))
    light = torch.randn(1, 1, 8, 12)
    unit = 1.0 if full else 112 / 109.5  # of differences, in that of luma
    expected = fold(unit * halved(light) * torch.tensor([blue, red]).view(2, 1, 1), 2)
    torch.testing.assert_close(F.conv2d(fold(light, 4), painter.stroke_differences), expected)
