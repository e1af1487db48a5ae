import numpy as np
import pytest
import torch

from datamodules.resize import channels_first, cover


def ramp(height: int, width: int) -> np.ndarray:
    """A picture whose red is its x and whose green is its y, in pixels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)[None]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (7, 5), (64, 64), (200, 90), (90, 200)])
@pytest.mark.parametrize("place", [None, (0.0, 0.999)])
def test_any_size_comes_out_at_the_one_asked_for(shape: tuple[int, int], place: tuple[float, float] | None) -> None:
    frames = np.full((2, *shape, 3), 77, dtype=np.uint8)
    result = cover(frames, (64, 48), place)
    assert result.shape == (2, 64, 48, 3)
    assert result.dtype == np.uint8
    assert np.all(result == 77)


def test_frames_of_the_right_size_are_not_touched() -> None:
    frames = np.random.default_rng(0).integers(256, size=(3, 20, 30, 3), dtype=np.uint8)
    assert np.array_equal(cover(frames, (20, 30), (0.4, 0.9)), frames)


@pytest.mark.parametrize("factor", [0.5, 2])
def test_proportions_and_the_centre_are_kept(factor: float) -> None:
    # 120 x 200 covers 60 x 60 (or 240 x 240) by the middle 120 x 120.
    side = int(120 * factor)
    result = cover(ramp(120, 200), (side, side))[0].astype(float)
    # Pixel i of the result has its centre at (i + 1/2) / factor - 1/2 of the window.
    centres = (np.arange(side) + 0.5) / factor - 0.5
    inner = slice(4, -4)  # cubics bend at the rim
    assert np.abs(result[inner, inner, 0] - (centres + 40)[inner]).max() <= 1
    assert np.abs(result[inner, inner, 1] - centres[inner, None]).max() <= 1


def test_the_window_lies_where_it_is_asked_for() -> None:
    frames = ramp(10, 30)
    assert [int(cover(frames, (10, 10), (0, x))[0, 0, 0, 0]) for x in (0, 0.5, 0.9999)] == [0, 10, 20]


def test_all_places_are_equally_likely() -> None:
    lefts = [int(cover(ramp(4, 7), (4, 4), (0, x))[0, 0, 0, 0]) for x in np.arange(0, 1, 1 / 400)]
    assert np.bincount(lefts).tolist() == [100, 100, 100, 100]


def test_channels_first_has_its_own_memory_in_order() -> None:
    frames = np.random.default_rng(0).integers(256, size=(3, 4, 5, 3), dtype=np.uint8)
    result = channels_first(frames[::-1])
    assert result.is_contiguous()
    assert torch.equal(result[0, 2], torch.from_numpy(frames[2, :, :, 2].copy()))
