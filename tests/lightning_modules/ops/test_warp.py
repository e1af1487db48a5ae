"""Warping, bound to its convention: ``out[p] = frames[p + flow[p]]``, pixels, x first."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.ops.warp import pixel_grid, sample, warp


def frames(*leading: int, height: int = 7, width: int = 9) -> Tensor:
    return torch.rand(*leading, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_no_motion_changes_nothing() -> None:
    pictures = frames(2, 4)
    torch.testing.assert_close(warp(pictures, torch.zeros(2, 4, 2, 7, 9)), pictures, atol=1e-6, rtol=0)


def test_whole_pixels_by_hand() -> None:
    pictures = frames(1)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 7, 9)
    moved = warp(pictures, flow)
    # What is at (x, y) was at (x + 2, y - 1).
    torch.testing.assert_close(moved[..., 1:, :-2], pictures[..., :-1, 2:], atol=1e-6, rtol=0)
    torch.testing.assert_close(moved[..., 0, :-2], pictures[..., 0, 2:], atol=1e-6, rtol=0)  # the border is repeated
    torch.testing.assert_close(moved[..., 3, -1], pictures[..., 2, -1], atol=1e-6, rtol=0)


def test_between_pixels_by_a_loop() -> None:
    draws = np.random.default_rng(1)
    picture = draws.random((3, 6, 8))
    flow = draws.normal(0, 3, (2, 6, 8))
    expected = np.zeros_like(picture)
    for row in range(6):
        for column in range(8):
            x = np.clip(column + flow[0, row, column], 0, 7)
            y = np.clip(row + flow[1, row, column], 0, 5)
            left, top = int(x), int(y)
            for i, share_y in ((top, 1 - (y - top)), (min(top + 1, 5), y - top)):
                for j, share_x in ((left, 1 - (x - left)), (min(left + 1, 7), x - left)):
                    expected[:, row, column] += share_y * share_x * picture[:, i, j]
    moved = warp(torch.from_numpy(picture), torch.from_numpy(flow))
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-6)


def test_a_batch_is_a_loop() -> None:
    pictures, flow = frames(2, 3), 2 * torch.randn(2, 3, 2, 7, 9)
    together = warp(pictures, flow)
    for i in range(2):
        for t in range(3):
            torch.testing.assert_close(together[i, t], warp(pictures[i, t], flow[i, t]))


def test_differentiable_in_frames_and_flow() -> None:
    pictures = frames(1, height=4, width=5).double().requires_grad_()
    flow = (0.3 + 0.2 * torch.rand(1, 2, 4, 5)).double().requires_grad_()  # away from whole pixels, where it has a kink
    assert torch.autograd.gradcheck(warp, (pictures, flow))


def test_half_precision_frames_are_read_at_full_positions() -> None:
    # bfloat16 has 8 bits: a position near 250 would be rounded to whole pixels.
    ramp = torch.arange(256.0).expand(1, 3, 4, 256) / 256
    flow = torch.full((1, 2, 4, 256), -0.5)
    flow[:, 1] = 0
    moved = warp(ramp.bfloat16(), flow.bfloat16())
    assert moved.dtype == torch.bfloat16
    torch.testing.assert_close(moved.float(), warp(ramp.bfloat16().float(), flow), atol=4e-3, rtol=0)


def test_sampling_at_fewer_places() -> None:
    picture = frames()
    places = pixel_grid(7, 9, picture)[:, 2:5, 1:3]
    torch.testing.assert_close(sample(picture, places), picture[:, 2:5, 1:3], atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1)])
def test_sides_of_one_pixel(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 3, *size)
    torch.testing.assert_close(warp(picture, torch.zeros(1, 2, *size)), picture, atol=1e-6, rtol=0)


def test_grid_is_x_first() -> None:
    grid = pixel_grid(2, 3, torch.zeros(1))
    assert grid.tolist() == [[[0, 1, 2], [0, 1, 2]], [[0, 0, 0], [1, 1, 1]]]


@pytest.mark.parametrize("flow", [(2, 2, 7, 8), (3, 2, 7, 9), (2, 3, 7, 9), (2, 7, 9)])
def test_sizes_that_do_not_agree(flow: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="matching frames"):
        warp(frames(2), torch.zeros(flow))
