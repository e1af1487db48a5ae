"""The frame that costs are measured with."""

import pytest
import torch
from torch import Tensor, nn

from fit.evaluation.one_frame import paint_frame, random_frame


def test_it_is_noise_over_the_whole_range_and_always_the_same() -> None:
    frame = random_frame((20, 30), "cpu")
    assert frame.shape == (1, 3, 20, 30)
    assert -1 <= frame.min() < -0.99
    assert 0.99 < frame.max() <= 1
    assert torch.equal(random_frame((20, 30), "cpu"), frame)
    assert frame.is_contiguous(memory_format=torch.channels_last)


def test_it_is_painted_without_a_graph() -> None:
    seen: list[bool] = []

    def paint(frames: Tensor) -> Tensor:
        seen.append(torch.is_inference_mode_enabled())
        return frames / 2

    frame = random_frame((4, 6), "cpu")
    assert torch.equal(paint_frame(paint, frame), frame / 2)
    assert seen == [True]


@pytest.mark.parametrize(
    ("size", "device", "complaint"),
    [
        ((0, 4), "cpu", "size: expected height and width of at least 1, got 0x4"),
        ((4, -1), "cpu", "size: expected height and width of at least 1, got 4x-1"),
        ((4, 6), "gpu", "4x6 on gpu: expected a device that is there, with room: Expected one of cpu"),
        ((4, 6), "cuda:99", "4x6 on cuda:99: expected a device that is there, with room: "),
        ((4, 6), "meta", "device: expected cpu or cuda, whose time and memory can be measured, got meta"),
    ],
)
def test_refuses_sizes_and_devices_in_one_line(size: tuple[int, int], device: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        random_frame(size, device)
    assert "\n" not in str(refused.value)


def test_refuses_what_cannot_be_painted_in_one_line() -> None:
    def complaining(frames: Tensor) -> Tensor:
        raise RuntimeError("too\nmuch")

    frame = random_frame((8, 6), "cpu")
    for paint, complaint in (
        (complaining, "8x6 on cpu: expected a frame that can be painted, got the error: too"),
        (nn.Conv2d(4, 3, 1), "8x6 on cpu: expected a frame that can be painted, got the error: Given groups=1"),
        (nn.Conv2d(3, 3, 3), r"8x6 on cpu: expected a painted frame of \(1, 3, 8, 6\), got \(1, 3, 6, 4\)"),
    ):
        with pytest.raises(ValueError, match=complaint) as refused:
            paint_frame(paint, frame)
        assert "\n" not in str(refused.value)
