"""The warping error and the flicker ratio: against loops in float64, and the laws they were made for."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.metrics.warping_error import (
    FlickerRatio,
    WarpingError,
    clip_warping_errors,
    flicker_ratio,
    pair_warping_errors,
    warping_error,
)

SHAPE = (3, 4, 3, 6, 7)  # clips, frames, colours, height, width


def clips(seed: int) -> Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def motion(seed: int = 5, gap: int = 1) -> tuple[Tensor, Tensor]:
    """Flow in whole and half pixels that stays inside, and a random mask."""
    draws = np.random.default_rng(seed)
    batch, length, _, height, width = SHAPE
    x = draws.integers(0, 2 * (width - 1), (batch, length - gap, height, width)) / 2
    y = draws.integers(0, 2 * (height - 1), (batch, length - gap, height, width)) / 2
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)))
    visible = draws.random((batch, length - gap, 1, height, width)) < 0.6
    return torch.tensor(np.stack([x, y], 2) - grid, dtype=torch.float32), torch.tensor(visible)


def read(frame: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear, by hand: the colours at one place of ``(3, H, W)``."""
    left, top = int(x), int(y)
    a, b = x - left, y - top
    right, bottom = min(left + 1, frame.shape[2] - 1), min(top + 1, frame.shape[1] - 1)
    above = (1 - a) * frame[:, top, left] + a * frame[:, top, right]
    below = (1 - a) * frame[:, bottom, left] + a * frame[:, bottom, right]
    return np.asarray((1 - b) * above + b * below)


def pairs_by_hand(frames: Tensor, flow: Tensor, visible: Tensor, gap: int = 1) -> list[list[float]]:
    """Pixel by pixel: mean of the squared error of values in [0, 1], for each pair of each clip; NaN if nothing is seen."""
    values, moves, seen = ((frames.double() + 1) / 2).numpy(), flow.double().numpy(), visible.numpy()
    errors = []
    for clip, move, mask in zip(values, moves, seen, strict=True):
        errors.append([])
        for t in range(len(clip) - gap):
            squares = [
                (read(clip[t], x + move[t, 0, y, x], y + move[t, 1, y, x]) - clip[t + gap, :, y, x]) ** 2
                for y in range(frames.shape[3])
                for x in range(frames.shape[4])
                if mask[t, 0, y, x]
            ]
            errors[-1].append(np.mean(squares) if squares else np.nan)
    return errors


def by_hand(frames: Tensor, flow: Tensor, visible: Tensor, gap: int = 1) -> float:
    """Mean over the pairs that show anything, over the clips that have such pairs."""
    known = [[error for error in pairs if error == error] for pairs in pairs_by_hand(frames, flow, visible, gap)]
    return float(np.mean([np.mean(pairs) for pairs in known if pairs]))


def test_equals_the_definition() -> None:
    flow, visible = motion()
    assert warping_error(clips(1), flow, visible).item() == pytest.approx(by_hand(clips(1), flow, visible), rel=1e-5)


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_pairs_clips_and_sets_equal_the_definition(gap: int) -> None:
    (flow, visible), frames = motion(gap=gap), clips(1)
    visible[1, -1] = False
    expected = torch.tensor(pairs_by_hand(frames, flow, visible, gap), dtype=torch.float64)
    pairs = pair_warping_errors(frames, flow, visible, gap)
    torch.testing.assert_close(pairs, expected, rtol=1e-5, atol=0, equal_nan=True)
    of_clips = clip_warping_errors(frames, flow, visible, gap)
    torch.testing.assert_close(of_clips, expected.nanmean(1), rtol=1e-5, atol=0, equal_nan=True)
    whole = by_hand(frames, flow, visible, gap)
    metric = WarpingError(gap)
    metric.update(frames, flow, visible)
    assert metric.gap == gap
    assert metric.compute().item() == pytest.approx(whole, rel=1e-5)
    assert warping_error(frames, flow, visible, gap).item() == pytest.approx(whole, rel=1e-5)


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


def test_frames_that_are_not_finite_are_not_left_out() -> None:
    (flow, visible), frames = motion(), clips(1)
    frames[1, 2] = torch.nan
    assert warping_error(frames, flow, visible).isnan()
    assert flicker_ratio(frames, clips(2), flow, visible).isnan()
    assert clip_warping_errors(frames, flow, visible).isnan().tolist() == [False, True, False]


def scene(batch: int, length: int, step: tuple[float, float], seed: int = 1, side: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    """Waves that glide by ``step`` (right, down) a frame, computed anew for each frame; flow and visibility."""
    draws = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side).double(), torch.arange(side).double(), indexing="ij")
    frames = torch.zeros(batch, length, 3, side, side, dtype=torch.float64)
    for b in range(batch):
        for colour in range(3):
            for _ in range(4):
                across, down, phase, size = torch.rand(4, generator=draws).tolist()
                for t in range(length):
                    at = (across - 0.5) * (x - step[0] * t) + (down - 0.5) * (y - step[1] * t)
                    frames[b, t, colour] += 0.25 * size * torch.sin(at + 6 * phase)
    flow = torch.tensor([-step[0], -step[1]]).view(2, 1, 1).expand(batch, length - 1, 2, side, side).contiguous()
    visible = torch.zeros(batch, length - 1, 1, side, side)
    visible[..., 5:-5, 5:-5] = 1
    return frames.float(), flow, visible


def test_a_still_in_translation_has_no_error_but_that_of_interpolation() -> None:
    whole, flow, visible = scene(2, 4, (2.0, -1.0))
    still = torch.zeros_like(flow)
    unmoved = warping_error(whole, still, visible)
    assert unmoved > 1e-3
    assert warping_error(whole, flow, visible) < 1e-10
    between, flow, visible = scene(2, 4, (1.5, -0.5))
    assert 1e-8 < warping_error(between, flow, visible) < 0.05 * warping_error(between, still, visible)
    for wrong in (-flow, flow.flip(2), flow * torch.tensor([1.0, -1.0]).view(2, 1, 1)):
        assert warping_error(between, wrong, visible) > 5 * warping_error(between, flow, visible)


def test_shuffled_frames_flicker() -> None:
    frames, flow, visible = scene(2, 5, (1.0, 0.5))
    content = (frames + 0.01 * torch.randn(frames.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    shuffled = content[:, [2, 0, 4, 1, 3]]
    assert flicker_ratio(shuffled, content, flow, visible) > 5
    assert warping_error(shuffled, flow, visible) > 5 * warping_error(content, flow, visible)


def updated(metric: FlickerRatio, *parts: Tensor, size: int = 1) -> FlickerRatio:
    for batch in zip(*(part.split(size) for part in parts), strict=True):
        metric.update(*batch)
    return metric


def test_ratio_of_a_stream_is_that_of_the_whole_set() -> None:
    (flow, visible), output, content = motion(), clips(1), 0.5 * clips(2) ** 3
    expected = by_hand(output, flow, visible) / output.double().var(correction=0)
    expected /= by_hand(content, flow, visible) / content.double().var(correction=0)
    values = [updated(FlickerRatio(), output, content, flow, visible, size=size).compute().item() for size in (1, 2, 3)]
    assert values == pytest.approx([expected.item()] * 3, rel=1e-5)
    assert max(values) - min(values) < 1e-12 * max(values)
    assert FlickerRatio().value(updated(FlickerRatio(), output, content, flow, visible).sums[:1]).shape == (1,)


def test_ratio_over_a_gap() -> None:
    (flow, visible), output, content = motion(gap=2), clips(1), clips(2)
    metric = FlickerRatio(gap=2)
    metric.update(output, content, flow, visible)
    expected = by_hand(output, flow, visible, 2) / output.double().var(correction=0)
    expected /= by_hand(content, flow, visible, 2) / content.double().var(correction=0)
    assert metric.gap == 2
    assert metric.compute().item() == pytest.approx(expected.item(), rel=1e-5)
    assert flicker_ratio(output, content, flow, visible, gap=2).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_ratio_of_the_identity_is_exactly_one(size: int) -> None:
    metric = updated(FlickerRatio(resamples=20), clips(1), clips(1), *motion(), size=size)
    assert metric.compute() == 1
    low, high = metric.interval()
    assert low == pytest.approx(1, abs=1e-12)
    assert high == pytest.approx(1, abs=1e-12)


def test_stream_is_unchanged_by_scale_and_shift() -> None:
    ratio = updated(FlickerRatio(), clips(1), clips(2), *motion()).compute()
    for scale, shift in ((0.05, 0.9), (-0.5, 0.1), (100.0, 1000.0)):
        moved = updated(FlickerRatio(), (scale * clips(1).double() + shift), clips(2), *motion()).compute()
        torch.testing.assert_close(moved, ratio, rtol=1e-6, atol=0)


def test_faint_pictures_keep_their_variance() -> None:
    flow, visible = motion()
    faint = 0.9 + 0.008 * clips(1)
    expected = by_hand(faint, flow, visible) / faint.double().var(correction=0)
    expected /= by_hand(clips(2), flow, visible) / clips(2).double().var(correction=0)
    assert updated(FlickerRatio(), faint, clips(2), flow, visible).compute().item() == pytest.approx(expected.item(), rel=1e-4)


def test_numbers_name_the_clips() -> None:
    (flow, visible), output, content = motion(), clips(1), clips(2)
    for build, parts in ((FlickerRatio, (output, content, flow, visible)), (WarpingError, (output, flow, visible))):
        metrics = [build(resamples=5, seed=3) for _ in range(3)]
        metrics[0].update(*parts, [7, 8, 9])
        for i in (2, 0, 1):
            metrics[1].update(*(part[i : i + 1] for part in parts), [7 + i])
        metrics[2].update(*parts)
        torch.testing.assert_close(metrics[0].sums, metrics[1].sums, rtol=1e-12, atol=0)
        assert not torch.equal(metrics[0].sums, metrics[2].sums)
        assert (metrics[0].resamples, metrics[0].seed) == (5, 3)


def test_added_flicker_is_the_quotient_of_two_ratios() -> None:
    output, content, style = clips(1), clips(2), 0.7 * clips(3).clamp(max=0.2)
    flow, visible = motion()
    style_flow, style_visible = motion(seed=6)
    metric = FlickerRatio()
    metric.update(output, style, flow, visible, None, style_flow, style_visible)
    of_style = by_hand(style, style_flow, style_visible) / style.double().var(correction=0)
    of_content = by_hand(content, flow, visible) / content.double().var(correction=0)
    expected = flicker_ratio(output, content, flow, visible) / (of_style / of_content)
    assert metric.compute().item() == pytest.approx(expected.item(), rel=1e-5)
    itself = FlickerRatio()
    itself.update(style, style, style_flow, style_visible, None, style_flow, style_visible)
    assert itself.compute() == 1


def test_pictures_under_the_same_camera_flicker_as_if_they_had_its_noise() -> None:
    torch.manual_seed(0)
    scene, painting = (torch.rand(1, 1, 3, 64, 64).expand(4, 3, -1, -1, -1) * 1.6 - 0.8 for _ in range(2))
    camera, moved = (0.1 * torch.randn(4, 3, 3, 64, 64) for _ in range(2))
    still, seen = torch.zeros(4, 2, 2, 64, 64), torch.ones(4, 2, 1, 64, 64)
    painting = painting + 0.05 * torch.randn(4, 3, 3, 64, 64)  # its own flicker
    clean, noisy = FlickerRatio(), FlickerRatio()
    clean.update(painting, scene + camera, still, seen)
    noisy.update(painting + moved, scene + camera, still, seen)
    assert float(clean.under_the_same_camera()) == pytest.approx(float(noisy.compute()), rel=0.06)
    assert float(clean.compute()) < 0.3 * float(noisy.compute())


def test_pictures_of_the_style_may_have_another_size() -> None:
    flow, visible = motion()
    metric, other = FlickerRatio(), scene(3, 3, (1.5, 0.5))
    metric.update(clips(1), other[0], flow, visible, reference_flow=other[1], reference_visible=other[2])
    assert metric.compute().isfinite()


def test_constant_pictures_are_flagged_in_a_stream_too() -> None:
    constant = torch.full(SHAPE, 0.1)
    assert updated(FlickerRatio(), constant, clips(1), *motion()).compute().isnan()
    assert updated(FlickerRatio(), clips(1), constant, *motion()).compute().isnan()
    assert updated(FlickerRatio(), constant + 0.02 * clips(2), clips(1), *motion()).compute().isfinite()


def test_nothing_visible_is_nothing_known() -> None:
    flow, visible = motion()
    hidden = torch.zeros_like(visible)
    error, ratio = WarpingError(), FlickerRatio()
    error.update(clips(1), flow, hidden)
    ratio.update(clips(1), clips(2), flow, hidden)
    assert error.compute().isnan()
    assert ratio.compute().isnan()
    error.update(clips(1), flow, visible)
    assert error.compute().item() == pytest.approx(by_hand(clips(1), flow, visible), rel=1e-5)


def test_memory_does_not_grow() -> None:
    metric = FlickerRatio(resamples=10)
    sizes = []
    for _ in range(3):
        metric.update(clips(1), clips(2), *motion())
        sizes.append(sum(state.numel() for state in metric.metric_state.values()))
    assert sizes == [11 * 10 + 1] * 3


def joined(one: ClipMetric, other: ClipMetric) -> Tensor:
    """What ``one`` computes where torchmetrics gathers the states of two ranks."""

    def gather(state: Tensor, group: object) -> list[Tensor]:
        return [state, other.sums if state.is_floating_point() else other.clips]

    one.distributed_available_fn, one.dist_sync_fn = lambda: True, gather
    return one.compute()


def test_two_ranks_compute_what_one_does() -> None:
    (flow, visible), output, content = motion(), clips(1), clips(2)
    (alone, *ranks), (error, *errors) = ([build() for _ in range(3)] for build in (FlickerRatio, WarpingError))
    alone.update(output, content, flow, visible)
    error.update(output, flow, visible)
    for rank in (0, 1):
        ranks[rank].update(output[rank::2], content[rank::2], flow[rank::2], visible[rank::2])
        errors[rank].update(output[rank::2], flow[rank::2], visible[rank::2])
    torch.testing.assert_close(joined(*ranks), alone.compute(), rtol=1e-12, atol=0)
    torch.testing.assert_close(joined(*errors), error.compute(), rtol=1e-12, atol=0)


def test_refusals() -> None:
    flow, visible = motion()
    with pytest.raises(ValueError, match="two frames or more, got \\(3, 1, 3, 6, 7\\); single frames cannot flicker"):
        warping_error(clips(1)[:, :1], flow[:, :0], visible[:, :0])
    with pytest.raises(ValueError, match="matching frames"):
        warping_error(clips(1), flow[..., :-1], visible[..., :-1])
    with pytest.raises(ValueError, match="one shape, got"):
        flicker_ratio(clips(1)[:2], clips(1), flow, visible)
    for gap in (0, 4):
        with pytest.raises(ValueError, match="expected a gap of 1 to 3 frames"):
            warping_error(clips(1), flow, visible, gap)
    with pytest.raises(ValueError, match="got a gap of 2 and 3 fields for 4 frames; use gap_flow"):
        FlickerRatio(gap=2).update(clips(1), clips(2), flow, visible)
    with pytest.raises(ValueError, match="one shape, got"):
        FlickerRatio().update(clips(1)[:, :3], clips(2), flow[:, :2], visible[:, :2])
    with pytest.raises(ValueError, match="pass both, or neither"):
        FlickerRatio().update(clips(1), clips(2), flow, visible, reference_flow=flow)
