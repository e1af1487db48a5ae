"""The warping error and the flicker ratio: against loops in float64, and the laws they were made for."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.warping_error import flicker_ratio, warping_error

SHAPE = (3, 4, 3, 6, 7)  # clips, frames, colours, height, width


def clips(seed: int) -> Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def motion(seed: int = 5) -> tuple[Tensor, Tensor]:
    """Flow in whole and half pixels that stays inside, and a random mask."""
    draws = np.random.default_rng(seed)
    batch, length, _, height, width = SHAPE
    x = draws.integers(0, 2 * (width - 1), (batch, length - 1, height, width)) / 2
    y = draws.integers(0, 2 * (height - 1), (batch, length - 1, height, width)) / 2
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)))
    visible = draws.random((batch, length - 1, 1, height, width)) < 0.6
    return torch.tensor(np.stack([x, y], 2) - grid, dtype=torch.float32), torch.tensor(visible)


def read(frame: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear, by hand: the colours at one place of ``(3, H, W)``."""
    left, top = int(x), int(y)
    a, b = x - left, y - top
    right, bottom = min(left + 1, frame.shape[2] - 1), min(top + 1, frame.shape[1] - 1)
    above = (1 - a) * frame[:, top, left] + a * frame[:, top, right]
    below = (1 - a) * frame[:, bottom, left] + a * frame[:, bottom, right]
    return np.asarray((1 - b) * above + b * below)


def by_hand(frames: Tensor, flow: Tensor, visible: Tensor) -> float:
    """Pixel by pixel: mean of the squared error of values in [0, 1], over pairs, over clips."""
    values, moves, seen = ((frames.double() + 1) / 2).numpy(), flow.double().numpy(), visible.numpy()
    errors = []
    for clip, move, mask in zip(values, moves, seen, strict=True):
        pairs = []
        for t in range(len(clip) - 1):
            squares = [
                (read(clip[t], x + move[t, 0, y, x], y + move[t, 1, y, x]) - clip[t + 1, :, y, x]) ** 2
                for y in range(SHAPE[3])
                for x in range(SHAPE[4])
                if mask[t, 0, y, x]
            ]
            if squares:
                pairs.append(np.mean(squares))
        if pairs:
            errors.append(np.mean(pairs))
    return float(np.mean(errors))


def test_equals_the_definition() -> None:
    flow, visible = motion()
    assert warping_error(clips(1), flow, visible).item() == pytest.approx(by_hand(clips(1), flow, visible), rel=1e-5)


def test_pairs_and_clips_that_hide_everything_are_left_out() -> None:
    flow, visible = motion()
    visible[0, 1], visible[2] = False, False
    assert warping_error(clips(1), flow, visible).item() == pytest.approx(by_hand(clips(1), flow, visible), rel=1e-5)
    assert warping_error(clips(1), flow, torch.zeros_like(visible)).isnan()


def test_what_is_hidden_does_not_count() -> None:
    flow, visible = motion()
    visible = visible.cumprod(dim=1).bool()  # what was hidden once stays so
    still = torch.zeros_like(flow)  # each pixel is compared with itself one frame before
    frames = clips(1)[:, :1].expand(SHAPE).clone()
    frames[:, 1:] += ~visible * torch.arange(1, SHAPE[1]).view(1, -1, 1, 1, 1)
    assert warping_error(frames, still, visible) < 1e-12
    assert warping_error(frames, still, torch.ones_like(visible)) > 0.1


def test_black_against_white_is_one() -> None:
    frames = torch.stack([-torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4)], dim=1)
    assert warping_error(frames, torch.zeros(2, 1, 2, 4, 4), torch.ones(2, 1, 1, 4, 4)) == 1


def test_ratio_equals_the_definition() -> None:
    flow, visible = motion()
    output, content = clips(1), 0.5 * clips(2) ** 3
    expected = by_hand(output, flow, visible) / output.double().var(correction=0)
    expected /= by_hand(content, flow, visible) / content.double().var(correction=0)
    assert flicker_ratio(output, content, flow, visible).item() == pytest.approx(expected.item(), rel=1e-5)


def test_ratio_of_the_content_itself_is_one() -> None:
    assert flicker_ratio(clips(1), clips(1), *motion()) == 1


def test_scaling_and_shifting_changes_nothing() -> None:
    ratio = flicker_ratio(clips(1), clips(2), *motion())
    for scale, shift in ((0.2, 0.7), (-0.5, 0.1)):
        torch.testing.assert_close(flicker_ratio(scale * clips(1) + shift, clips(2), *motion()), ratio)
        torch.testing.assert_close(flicker_ratio(clips(1), scale * clips(2) + shift, *motion()), ratio)


def test_more_flicker_is_more() -> None:
    content = clips(1)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))
    flow, visible = torch.zeros(3, 3, 2, 6, 7), torch.ones(3, 3, 1, 6, 7)
    calm = content[:, :1] + 0.01 * noise
    ratios = [flicker_ratio(content[:, :1] + sigma * noise, calm, flow, visible).item() for sigma in (0.01, 0.02, 0.04)]
    assert ratios[0] == pytest.approx(1)
    assert ratios[1] == pytest.approx(4, rel=0.05)  # of the square of the noise
    assert ratios[2] == pytest.approx(16, rel=0.05)


def test_a_constant_output_is_no_success() -> None:
    assert flicker_ratio(torch.full(SHAPE, 0.1), clips(1), *motion()).isnan()
    assert not flicker_ratio(torch.full(SHAPE, 0.1) + 0.02 * clips(2), clips(1), *motion()).isnan()


def test_half_precision_is_judged_in_full() -> None:
    flow, visible = motion()
    frames = clips(1).bfloat16()
    torch.testing.assert_close(warping_error(frames, flow, visible), warping_error(frames.float(), flow, visible))


def test_refusals() -> None:
    flow, visible = motion()
    with pytest.raises(ValueError, match="two frames or more, got \\(3, 1, 3, 6, 7\\); single frames cannot flicker"):
        warping_error(clips(1)[:, :1], flow[:, :0], visible[:, :0])
    with pytest.raises(ValueError, match="matching frames"):
        warping_error(clips(1), flow[..., :-1], visible[..., :-1])
    with pytest.raises(ValueError, match="one shape, got"):
        flicker_ratio(clips(1)[:2], clips(1), flow, visible)
