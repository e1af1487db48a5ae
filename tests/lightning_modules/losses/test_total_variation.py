"""Total variation, as sentences of mathematics."""

import pytest
import torch

from lightning_modules.losses.total_variation import total_variation


def test_constant_pictures_have_none() -> None:
    assert total_variation(torch.full((2, 3, 3, 5, 4), 0.7)).item() == 0


def test_a_ramp_has_its_slope() -> None:
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    assert total_variation((0.1 * x - 0.3 * y).expand(2, 3, 6, 7)).item() == pytest.approx(0.4)


def test_clips_are_averaged() -> None:
    clips = torch.randn(3, 2, 3, 5, 4)
    assert total_variation(clips).item() == pytest.approx(sum(total_variation(c[None]).item() for c in clips) / 3, rel=1e-5)


def test_turning_the_picture_changes_nothing() -> None:
    picture = torch.randn(1, 3, 5, 8)
    assert total_variation(picture.mT.flip(-1)).item() == pytest.approx(total_variation(picture).item())
