"""The comparison of an exported network with torch."""

import math

import pytest
import torch
from torch import Tensor

from fit.onnx_check import BATCHES, Difference, check_batches, difference, real_frames, refuse_unlike
from fit.onnx_file import OnnxError


def test_frames_are_real_and_of_several_sizes_and_batches() -> None:
    batches = list(check_batches())
    assert [(len(frames), *frames.shape[-2:]) for frames in batches] == list(BATCHES)
    assert len({len(frames) for frames in batches}) > 1
    assert any(side % 4 for frames in batches for side in frames.shape[-2:])
    for frames in batches:
        assert frames.dtype == torch.float32
        assert -1 <= float(frames.amin()) < float(frames.amax()) <= 1
        assert float(frames.std()) > 0.1
    several = real_frames(3, 40, 60)
    assert not torch.equal(several[0], several[2])


def test_equal_painters_do_not_differ() -> None:
    found = difference(torch.neg, torch.neg, [torch.rand(2, 3, 8, 8), torch.rand(1, 3, 4, 4)])
    assert found == Difference(0, math.inf, 3)


def test_the_difference_is_the_largest_and_the_decibels_are_of_the_worst_batch() -> None:
    def other(frames: Tensor) -> Tensor:
        moved = frames.clone()
        moved[..., 0, 0] += 0.1 * len(frames)
        return moved

    found = difference(lambda frames: frames, other, [torch.zeros(2, 3, 5, 5), torch.zeros(1, 3, 5, 5)])
    assert found.largest == pytest.approx(0.2)
    assert found.psnr == pytest.approx(10 * math.log10(2**2 / (0.2**2 / 25)))  # values reach over 2


@pytest.mark.parametrize(
    ("found", "precision", "good"),
    [
        (Difference(9e-4, 70, 1), "float32", True),
        (Difference(1.1e-3, 120, 1), "float32", False),
        (Difference(math.nan, math.nan, 1), "float32", False),
        (Difference(0.2, 35.1, 1), "int8", True),
        (Difference(0.01, 34.9, 1), "int8", False),
        (Difference(math.nan, math.nan, 1), "int8", False),
        (Difference(0.01, 45.1, 1), "float16", True),
        (Difference(0.01, 44.9, 1), "float16", False),
    ],
)
def test_what_is_too_far_is_refused(found: Difference, precision: str, good: bool) -> None:
    if good:
        refuse_unlike(found, precision)  # type: ignore[arg-type]
        return
    with pytest.raises(OnnxError, match=f"expected the {precision} network to paint as in torch .*; nothing was written"):
        refuse_unlike(found, precision)  # type: ignore[arg-type]


def test_another_shape_is_no_number() -> None:
    found = difference(lambda frames: frames, lambda frames: frames[:1], [torch.zeros(2, 3, 4, 4)])
    assert math.isnan(found.largest)


def test_one_value_that_is_no_number_spoils_it() -> None:
    def other(frames: Tensor) -> Tensor:
        return torch.where(torch.arange(frames.numel()).view_as(frames) == 7, math.nan, frames)

    found = difference(lambda frames: frames, other, [torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)])
    assert math.isnan(found.largest)
    assert math.isnan(found.psnr)
