"""The peak of memory, on functions whose tensors can be counted by hand."""

import pytest
import torch
from torch import Tensor, nn

from fit.evaluation.memory import max_held, peak_memory

SIZE = (32, 48)
FRAME = 3 * 32 * 48 * 4  # bytes


def chain(frames: Tensor) -> Tensor:
    return frames.sin().cos().sin().cos()  # never more than what one comes from and what it makes


def branch(frames: Tensor) -> Tensor:
    first = frames.sin()
    return first.cos().sin().add_(first)  # the first stays


def freed(frames: Tensor) -> Tensor:
    torch.cat([frames] * 10)  # forgotten at once
    return frames.sin()


class Unfolded(nn.Module):
    """Every pixel times a matrix from 3 values to 12, a ReLU in place, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = nn.Linear(3, 12, bias=False), nn.Linear(12, 3, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        pixels = frames.permute(0, 2, 3, 1).clone()  # FRAME, held to the end
        wide: Tensor = self.there(pixels).relu_()  # 4 * FRAME
        return self.back(wide).permute(0, 3, 1, 2)  # FRAME


@pytest.mark.parametrize(
    ("paint", "frames"), [(lambda x: x, 0), (torch.sin, 1), (chain, 2), (branch, 3), (freed, 10), (Unfolded(), 6)]
)
def test_counts_what_is_held_at_once(paint: object, frames: int) -> None:
    for _ in range(2):  # the second time nothing is left of the first
        assert peak_memory(paint, SIZE) == frames * FRAME  # type: ignore[arg-type]


def test_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    peak_memory(torch.sin, SIZE)
    assert capfd.readouterr() == ("", "")


def test_the_highest_sum() -> None:
    assert max_held([3, 4, -2, 1, -6, 2]) == 7
    assert max_held([-3, 2]) == 0
    assert max_held([]) == 0


@pytest.mark.gpu
@pytest.mark.parametrize(("paint", "frames"), [(lambda x: x, 0), (torch.sin, 1), (chain, 2), (branch, 3), (freed, 10)])
def test_counts_what_is_held_at_once_on_a_gpu(paint: object, frames: int) -> None:
    size = (512, 1024)  # a multiple of the blocks that memory is handed out in
    assert peak_memory(paint, size, "cuda") == frames * 3 * 512 * 1024 * 4  # type: ignore[arg-type]
