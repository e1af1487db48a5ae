"""Filters of pixels and the same of their blocks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lightning_modules.ops.filters import as_convolution, boxes, doubled, filtered, slopes, smoothed, tent
from lightning_modules.ops.fold import fold, unfold


@pytest.mark.parametrize(("linear", "colours"), [(smoothed, 1), (smoothed, 3), (slopes, 1)])
def test_a_convolution_of_blocks_is_the_filter_of_pixels(linear: Callable[[Tensor], Tensor], colours: int) -> None:
    pixels = torch.randn(2, colours, 12, 16)
    found = unfold(filtered(fold(pixels, 2), as_convolution(linear, colours)), 2)
    torch.testing.assert_close(found[..., 2:-2, 2:-2], linear(pixels)[..., 2:-2, 2:-2])  # their borders differ


def test_a_convolution_of_single_pixels_doubles_their_size() -> None:
    pixels = torch.randn(2, 1, 5, 7)
    found = unfold(filtered(pixels, as_convolution(doubled, 1, seen=1)), 2)
    torch.testing.assert_close(found, doubled(pixels))  # at the borders, too


def test_a_larger_convolution_sees_further() -> None:
    pixels = torch.randn(2, 1, 8, 9)

    def far(values: Tensor) -> Tensor:
        return doubled(smoothed(smoothed(values)))  # three pixels to each side

    found = unfold(filtered(pixels, as_convolution(far, 1, seen=1, size=7)), 2)
    torch.testing.assert_close(found[..., 6:-6, 6:-6], far(pixels)[..., 6:-6, 6:-6])  # their borders differ


def test_slopes_are_those_of_a_plane() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    found = slopes((3 * rows - 2 * columns)[None, None])[..., 1:-1, 1:-1]
    torch.testing.assert_close(found, torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand_as(found))


@pytest.mark.parametrize("side", [1, 2, 5])
def test_boxes_are_means_without_a_border(side: int) -> None:
    values = torch.randn(2, 3, 8, 9, dtype=torch.float64)
    torch.testing.assert_close(boxes(values, side), torch.nn.functional.avg_pool2d(values, side, stride=1))


def test_tents_are_averages_with_the_edges_repeated() -> None:
    values = torch.randn(2, 3, 8, 9, dtype=torch.float64)
    row = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0], dtype=torch.float64) / 9
    bordered = torch.nn.functional.pad(values, [2] * 4, mode="replicate")
    expected = torch.nn.functional.conv2d(bordered, torch.outer(row, row).expand(3, 1, 5, 5), groups=3)
    torch.testing.assert_close(tent(values, 2), expected)


def test_filters_are_exact_under_autocast() -> None:
    blocks, filters = torch.randn(1, 12, 6, 6), as_convolution(smoothed)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = filtered(blocks, filters)
    torch.testing.assert_close(found, filtered(blocks, filters), atol=0, rtol=0)
