"""What holds for every generator: any leading sizes, one frame as in a clip, and clear refusals."""

import pytest
import torch
from torch import Tensor

from lightning_modules.generators.base import Generator


class Mean(Generator):
    """Paints every picture in its mean colour."""

    size_multiple = 4
    min_size = 8

    def paint(self, frames: Tensor) -> Tensor:
        assert frames.dim() == 4
        return frames.mean((-2, -1), keepdim=True).expand_as(frames)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (1, 2, 3)])
def test_any_leading_sizes(leading: tuple[int, ...]) -> None:
    frames = torch.rand(*leading, 3, 8, 12)
    painted = Mean()(frames)
    torch.testing.assert_close(painted, frames.mean((-2, -1), keepdim=True).expand_as(frames))


@pytest.mark.parametrize("size", [(10, 8), (8, 10), (4, 8), (8, 4)])
def test_sizes_that_do_not_fit_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 4 and at least 8, got {size[0]}x{size[1]}; change the size or pad"):
        Mean()(torch.zeros(1, 3, *size))


def test_must_say_how_to_paint() -> None:
    with pytest.raises(TypeError, match=r"abstract method '?paint"):
        Generator()
