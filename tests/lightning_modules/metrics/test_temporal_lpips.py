"""The published temporal LPIPS, tLP: against its formula over torchmetrics' distances, and its laws."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.lpips import LPIPS
from lightning_modules.metrics.temporal_lpips import TemporalLPIPS, consecutive_distances, temporal_lpips_errors

Weights = Callable[[str], Path]


@pytest.fixture(scope="module")
def lpips(random_weights: Weights) -> LPIPS:
    return LPIPS("squeeze", random_weights("squeeze"))


def clips(seed: int, length: int = 6, batch: int = 2, height: int = 70, width: int = 50) -> Tensor:
    """Pictures that change a little from frame to frame, each pair another amount."""
    draws = torch.Generator().manual_seed(seed)
    first = torch.rand(batch, 1, 3, height, width, generator=draws) * 2 - 1
    change = torch.randn(batch, length, 3, height, width, generator=draws) * torch.rand(batch, length, 1, 1, 1, generator=draws)
    return (first + 0.2 * change).clamp(-1, 1)


def by_hand(lpips: LPIPS, output: Tensor, reference: Tensor, first: int, last: int) -> list[float]:
    """The published script's loop over frames ``first`` to ``last``, for pictures of 70 x 50 pixels: cut to 32 x 32."""
    errors = []
    for ours, theirs in zip(output[..., 19:51, 9:41], reference[..., 19:51, 9:41], strict=True):
        pairs = []
        for t in range(first, last):
            moved, real = (lpips(clip[t : t + 1], clip[t + 1 : t + 2]).double().item() for clip in (ours, theirs))
            pairs.append(abs(real - moved) * 100)
        errors.append(float(np.mean(pairs)))
    return errors


@pytest.mark.parametrize(("length", "first", "last"), [(2, 0, 1), (5, 1, 3), (7, 2, 4)])
def test_equals_the_definition(length: int, first: int, last: int, lpips: LPIPS) -> None:
    output, reference = clips(1, length), clips(2, length)
    found = temporal_lpips_errors(output, reference, lpips)
    assert found.tolist() == pytest.approx(by_hand(lpips, output, reference, first, last), rel=1e-5)
    assert (found > 0.1).all()


def test_every_frame_is_looked_at_once(lpips: LPIPS, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    features = lpips.features
    monkeypatch.setattr(lpips, "features", lambda frames: looks.append(frames) or features(frames))
    distances = consecutive_distances(clips(1, 5), lpips)
    assert distances.shape == (2, 4)
    assert torch.equal(torch.stack(looks, dim=1), clips(1, 5))


def test_of_the_reference_itself_is_zero_and_freezing_or_flicker_is_not(lpips: LPIPS) -> None:
    reference = clips(1)
    assert (temporal_lpips_errors(reference, reference, lpips) == 0).all()
    frozen = reference[:, :1].expand_as(reference)
    flicker = reference * torch.tensor([1.0, -1.0] * 3).view(6, 1, 1, 1)
    for output in (frozen, flicker):
        assert (temporal_lpips_errors(output, reference, lpips) > 0.1).all()


def test_metric_is_the_mean_over_clips_whatever_the_batches(lpips: LPIPS) -> None:
    output, reference = clips(1, batch=3), clips(2, batch=3)
    expected = temporal_lpips_errors(output, reference, lpips)
    for size in (1, 2, 3):
        metric = TemporalLPIPS(lpips)
        for ours, theirs in zip(output.split(size), reference.split(size), strict=True):
            metric.update(ours, theirs)
        assert metric.compute().item() == pytest.approx(expected.mean().item(), rel=1e-5)


def test_numbers_name_the_clips(lpips: LPIPS) -> None:
    metrics = [TemporalLPIPS(lpips, resamples=4, seed=1) for _ in range(2)]
    output, reference = clips(1, 2), clips(2, 2)
    metrics[0].update(output, reference, [4, 5])
    for i in (1, 0):
        metrics[1].update(output[i : i + 1], reference[i : i + 1], [4 + i])
    torch.testing.assert_close(metrics[0].sums, metrics[1].sums, rtol=1e-4, atol=0)
    assert (metrics[0].resamples, metrics[0].seed) == (4, 1)


def test_the_label_says_who_looks(lpips: LPIPS) -> None:
    assert TemporalLPIPS(lpips).label == "tLP with LPIPS (squeeze, weights of squeeze.pth)"


def test_refusals(lpips: LPIPS) -> None:
    for output, reference in ((clips(1)[:, :1], clips(1)[:, :1]), (clips(1)[:, :2], clips(1))):
        with pytest.raises(ValueError, match=r"temporal_lpips: expected .* two frames or more, got \("):
            TemporalLPIPS(lpips).update(output, reference)
