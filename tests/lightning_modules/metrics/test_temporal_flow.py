"""The published temporal flow error, tOF: against a loop over OpenCV's own calls, and its laws."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.metrics.temporal_flow import TemporalFlow, judged_part, temporal_flow_errors


def gliding(length: int, step: tuple[int, int], height: int = 70, width: int = 90, seed: int = 0) -> Tensor:
    """A window gliding over a smooth texture, ``(1, T, 3, H, W)`` in [-1, 1]."""
    coarse = torch.rand(1, 3, 30, 30, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    texture = F.interpolate(coarse, size=160, mode="bicubic").clamp(-1, 1)
    windows = [texture[..., 30 + t * step[1] :, 30 + t * step[0] :][..., :height, :width] for t in range(length)]
    return torch.stack(windows, dim=1)


def by_hand(output: Tensor, reference: Tensor, first: int, last: int, top: int, left: int, height: int, width: int) -> float:
    """The published script's loop over frames ``first`` to ``last`` of one clip, with a given crop."""
    errors = []
    for t in range(first, last):
        fields = []
        for clip in (reference, output):
            pictures = [np.clip(np.round((clip[s].double().numpy() + 1) * 127.5), 0, 255).astype(np.uint8) for s in (t, t + 1)]
            grey = [cv2.cvtColor(np.ascontiguousarray(p.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY) for p in pictures]
            field = cv2.calcOpticalFlowFarneback(grey[0], grey[1], None, 0.5, 3, 15, 3, 5, 1.2, 0)
            fields.append(field[top : top + height, left : left + width].astype(np.float64))
        errors.append(np.sqrt(np.square(fields[0] - fields[1]).sum(-1)).mean())
    return float(np.mean(errors))


@pytest.mark.parametrize(
    ("length", "first", "last"),
    [(2, 0, 1), (3, 0, 2), (4, 1, 2), (5, 1, 3), (6, 2, 3), (7, 2, 4)],  # the first and the last frame that count
)
def test_equals_the_definition(length: int, first: int, last: int) -> None:
    # Noise makes the estimates different in every frame, and hang on all that is done to the pictures before.
    draws = torch.Generator().manual_seed(2)
    noise = 0.2 * torch.randn(2, length, 3, 70, 90, generator=draws)
    reference, output = gliding(length, (2, 1)) + noise[:1], gliding(length, (1, -2), seed=1) + noise[1:]
    # Of 70 and 90 pixels, 32 and 64 are the largest multiples of 32 that leave out 16 or more.
    expected = by_hand(output[0], reference[0], first, last, 19, 13, 32, 64)
    found = temporal_flow_errors(output, reference)
    assert found.shape == (1,)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert expected > 0.5


@pytest.mark.parametrize(
    ("side", "first", "kept"),
    [(32, 0, 32), (47, 0, 47), (48, 8, 32), (79, 23, 32), (80, 8, 64), (256, 16, 224), (448, 16, 416)],
)
def test_sides_are_cut_as_published(side: int, first: int, kept: int) -> None:
    _, rows, columns = judged_part(torch.zeros(1, 2, 1, side, 40))
    assert (rows.start or 0, rows.stop) == (first, first + kept)
    assert (columns.start or 0, columns.stop) == (0, 40)


def test_of_the_reference_itself_is_zero() -> None:
    clip = gliding(7, (2, 1))
    assert temporal_flow_errors(clip, clip).item() == 0


def test_is_the_distance_in_pixels_of_two_motions() -> None:
    errors = temporal_flow_errors(gliding(7, (3, 0), 100, 100), gliding(7, (0, 0), 100, 100))
    assert errors.item() == pytest.approx(3, abs=0.15)


def test_frozen_and_flickering_output_is_worse() -> None:
    reference = gliding(7, (1, 1))
    painted = -0.5 * reference  # other colours, the same motion
    frozen = painted[:, 3:4].expand_as(painted)
    noise = 0.3 * torch.randn(painted.shape, generator=torch.Generator().manual_seed(0))
    good, still, noisy = (temporal_flow_errors(clip, reference).item() for clip in (painted, frozen, (painted + noise)))
    assert good < 0.1
    assert still > 1
    assert noisy > 2 * good


def test_metric_is_the_mean_over_clips_whatever_the_batches() -> None:
    reference = torch.cat([gliding(6, step, seed=i) for i, step in enumerate([(1, 0), (0, 2), (2, 2)])])
    output = torch.cat([gliding(6, (1, 1), seed=7)] * 3)
    alone = [temporal_flow_errors(output[i : i + 1], reference[i : i + 1]).item() for i in range(3)]
    assert len(set(alone)) == 3
    values = []
    for size in (1, 2, 3):
        metric = TemporalFlow()
        for ours, theirs in zip(output.split(size), reference.split(size), strict=True):
            metric.update(ours, theirs)
        values.append(metric.compute().item())
    assert values == pytest.approx([np.mean(alone)] * 3, rel=1e-12)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    output, reference = torch.cat([gliding(7, (1, 1)), gliding(7, (2, 0))]), torch.cat([gliding(7, (0, 1))] * 2)
    alone = temporal_flow_errors(output, reference)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(temporal_flow_errors(output, reference), alone)


def test_numbers_name_the_clips() -> None:
    metrics = [TemporalFlow(resamples=5, seed=3) for _ in range(3)]
    output, reference = torch.cat([gliding(2, (1, 1)), gliding(2, (2, 0))]), torch.cat([gliding(2, (0, 1))] * 2)
    metrics[0].update(output, reference, [8, 9])
    metrics[1].update(output[1:], reference[1:], [9])
    metrics[1].update(output[:1], reference[:1], [8])
    metrics[2].update(output, reference)
    torch.testing.assert_close(metrics[0].sums, metrics[1].sums, rtol=1e-12, atol=0)
    assert not torch.equal(metrics[0].sums, metrics[2].sums)
    assert (metrics[0].resamples, metrics[0].seed) == (5, 3)


def test_refusals() -> None:
    clip = gliding(3, (1, 1))
    for output, reference in ((clip[:, :1], clip[:, :1]), (clip[:, :2], clip), (clip[0], clip[0])):
        with pytest.raises(ValueError, match=r"temporal_flow: expected .* of one shape with two frames or more, got \("):
            TemporalFlow().update(output, reference)
