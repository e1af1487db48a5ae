import pytest
import torch
import torch.nn.functional as F

from lightning_modules.ops.contrast import blurred, window_sums


@pytest.mark.parametrize("side", [1, 3, 5, 7, 9])
def test_blurred_is_two_boxes_along_each_axis(side: int) -> None:
    frames = torch.rand(2, 3, 20, 17, dtype=torch.float64)
    box = torch.full((side,), 1 / side, dtype=torch.float64)
    tent = F.conv1d(box.view(1, 1, -1), box.view(1, 1, -1), padding=side - 1).flatten()
    expected = F.conv2d(frames, torch.outer(tent, tent).expand(3, 1, -1, -1), groups=3)
    inner = (..., slice(side - 1, 21 - side), slice(side - 1, 18 - side))
    torch.testing.assert_close(blurred(frames, side)[inner], expected)


def test_blurred_keeps_size_and_flat_colours_up_to_the_border_even_of_tiny_frames() -> None:
    flat = torch.rand(1, 3, 1, 1).expand(1, 3, 4, 5)
    torch.testing.assert_close(blurred(flat, 11), flat.contiguous())


@pytest.mark.parametrize("side", [1, 2, 6, 11, 13])
def test_window_sums_are_those_of_average_pooling(side: int) -> None:
    values = torch.rand(2, 3, 13, 14, dtype=torch.float64)
    torch.testing.assert_close(window_sums(values, side, -1), side * F.avg_pool2d(values, (1, side), stride=1))
    torch.testing.assert_close(window_sums(values, side, -2), side * F.avg_pool2d(values, (side, 1), stride=1))


def test_half_precision_is_rounded_once() -> None:
    frames = (torch.rand(1, 3, 20, 20) * 2 - 1).to(torch.bfloat16)
    assert torch.equal(blurred(frames, 11), blurred(frames.float(), 11).to(torch.bfloat16))
