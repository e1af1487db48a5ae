"""Soft frames are given stronger strokes and sharp ones weaker; one of many frames as if it were alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.detail import EDGE, GRAIN, HIGHEST, LOWEST, USUAL, Summarise, Summary, detail_factor, stroke_share
from lightning_modules.ops.fold import fold
from lightning_modules.ops.lines import Lines


def frames_of(share: float, contrast: float = 0.3, size: tuple[int, int] = (24, 32)) -> Tensor:
    """Detail within blocks of 2x2 that is so large a share of the contrast, ``(1, 3, *size)``."""
    torch.manual_seed(0)
    fine = torch.randn(1, 3, *size)
    fine = fine - F.interpolate(F.avg_pool2d(fine, 2), scale_factor=2)
    coarse = F.interpolate(torch.randn(1, 3, size[0] // 2, size[1] // 2), scale_factor=2)
    coarse = coarse - coarse.mean((2, 3), keepdim=True)
    fine, coarse = (part / part.square().sum(1).mean().sqrt() for part in (fine, coarse))
    return contrast * (share * fine + (1 - share**2) ** 0.5 * coarse) + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)


def summary(frames: Tensor) -> Summary:
    seen: Summary = Summarise(4).to(frames.dtype)(fold(frames, 2))
    return seen


def factor(frames: Tensor) -> Tensor:
    return detail_factor(summary(frames))


def test_summaries_are_of_blocks_and_pixels() -> None:
    frames = torch.rand(2, 3, 16, 24, dtype=torch.float64) * 2 - 1
    seen, blocks = summary(frames), F.avg_pool2d(frames, 2).flatten(2)
    torch.testing.assert_close(seen.mean, frames.mean((2, 3)))
    torch.testing.assert_close(seen.covariance, torch.stack([torch.cov(one, correction=0) for one in blocks]))
    torch.testing.assert_close(seen.variance, frames.var((2, 3), correction=0).sum(1))


@pytest.mark.parametrize("contrast", [0.05, 0.3])
def test_detail_is_brought_to_one_share_of_the_contrast_within_bounds(contrast: float) -> None:
    for share in (0.05, 0.15, USUAL, 0.28, 0.8):
        expected = min(max(USUAL / share, LOWEST), HIGHEST)
        assert factor(frames_of(share, contrast)).item() == pytest.approx(expected, rel=1e-3)


def test_flat_frames_have_no_detail_to_strengthen() -> None:
    flat = torch.tensor([0.3, -0.2, 0.1]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    assert factor(flat).item() == pytest.approx(LOWEST)
    assert factor(flat + 1e-4 * torch.randn(1, 3, 16, 16)).item() == pytest.approx(LOWEST)


def test_frames_count_by_themselves_and_half_precision_hardly_matters() -> None:
    both = torch.cat([frames_of(0.15), frames_of(0.28)])
    torch.testing.assert_close(factor(both), torch.cat([factor(both[:1]), factor(both[1:])]))
    half = factor(both.half())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, factor(both), rtol=0.01, atol=0)


@pytest.mark.parametrize(("level", "contrast"), [(0.85, 0.05), (0.9, 0.02), (-0.9, 0.05), (0.0, 0.5)])
def test_sums_over_large_frames_are_fine_enough(level: float, contrast: float) -> None:
    frames = frames_of(0.16, contrast, (540, 960)) + level
    torch.testing.assert_close(factor(frames), factor(frames.double()).float(), rtol=1e-3, atol=0)


def test_strokes_fade_where_there_is_grain_and_do_not_grow_at_edges() -> None:
    none, grainy, steep = torch.zeros(4), torch.tensor([0.0, 0.2, 1.0, 5.0]) * GRAIN, torch.tensor([0.0, 0.1, 1.0, 9.0]) * EDGE
    share = stroke_share(Lines(none, none, none, grainy.square()))
    torch.testing.assert_close(share, torch.tensor([0.0, 0.04 / 1.04, 0.5, 25 / 26]))
    strong = stroke_share(Lines(none, none, steep.square(), torch.ones(4))) * steep / EDGE  # contrasts grow with slopes
    torch.testing.assert_close(strong, torch.tensor([0.0, 0.1 / 1.01**0.5, 0.5**0.5, 9 / 82**0.5]), atol=1e-3, rtol=1e-3)
