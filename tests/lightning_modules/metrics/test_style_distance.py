"""The Gram distance, against loops in float64."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.style_distance import GramDistance, gram_distance, mean_grams

CHANNELS = (4, 6)


def features(count: int, seed: int, size: int = 5) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, c, size * c, size, generator=generator) for c in CHANNELS]


def gram_by_hand(layer: np.ndarray) -> np.ndarray:
    """Mean over pictures of F F^T / (HW), entry by entry."""
    count, channels, height, width = layer.shape
    total = np.zeros((channels, channels))
    for picture in layer:
        for i in range(channels):
            for j in range(channels):
                total[i, j] += (picture[i] * picture[j]).sum() / (height * width)
    return total / count


def test_equals_the_definition() -> None:
    a, b = features(3, 1), features(2, 2, size=4)
    terms = []
    for layer, style in zip(a, b, strict=True):
        judged, target = gram_by_hand(layer.double().numpy()), gram_by_hand(style.double().numpy())
        terms.append(((judged - target) ** 2).sum() / (target**2).sum())
    assert gram_distance(mean_grams([a]), mean_grams([b])).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_batches_are_as_good_as_one() -> None:
    whole = features(5, 1)
    parts = ([layer[first:last] for layer in whole] for first, last in ((0, 2), (2, 3), (3, 5)))
    for a, b in zip(mean_grams(parts), mean_grams([whole]), strict=True):
        torch.testing.assert_close(a, b)


def test_pictures_of_different_sizes_count_alike() -> None:
    small, large = features(1, 1, size=3), features(1, 2, size=9)
    together = mean_grams([small, large])
    for both, a, b in zip(together, mean_grams([small]), mean_grams([large]), strict=True):
        torch.testing.assert_close(both, (a + b) / 2)


def test_where_things_lie_does_not_matter() -> None:
    pictures, style = features(3, 1), mean_grams([features(3, 2)])
    order = torch.randperm(3, generator=torch.Generator().manual_seed(0))
    mirrored = [layer[order].flip(-1, -2) for layer in pictures]
    torch.testing.assert_close(gram_distance(mean_grams([mirrored]), style), gram_distance(mean_grams([pictures]), style))


def test_zero_for_the_style_itself_and_one_for_nothing() -> None:
    style = mean_grams([features(3, 1)])
    assert gram_distance(style, style) == 0
    assert gram_distance([torch.zeros_like(layer) for layer in style], style) == 1


def test_layers_count_alike_whatever_their_scale() -> None:
    a, b = features(3, 1), features(3, 2)
    scaled = [[layer * factor for layer, factor in zip(group, (1, 50), strict=True)] for group in (a, b)]
    torch.testing.assert_close(
        gram_distance(*(mean_grams([g]) for g in scaled)), gram_distance(mean_grams([a]), mean_grams([b]))
    )


def test_refusals() -> None:
    with pytest.raises(ValueError, match="at least one picture, got none"):
        mean_grams([])
    with pytest.raises(ValueError, match="same layers, got \\[\\(4, 4\\)\\] and \\[\\(4, 4\\), \\(6, 6\\)\\]"):
        gram_distance(mean_grams([features(1, 1)])[:1], mean_grams([features(1, 1)]))


def judge(pictures: list[Tensor], style: list[Tensor], resamples: int = 0, numbers: list[int] | None = None) -> GramDistance:
    metric = GramDistance(CHANNELS, resamples)
    metric.update(style, real=True)
    metric.update(pictures, real=False, numbers=numbers)
    return metric


def test_the_metric_equals_the_definition() -> None:
    a, b = features(3, 1), features(2, 2, size=4)
    terms = []
    for layer, style in zip(a, b, strict=True):
        judged, target = gram_by_hand(layer.double().numpy()), gram_by_hand(style.double().numpy())
        terms.append(((judged - target) ** 2).sum() / (target**2).sum())
    assert judge(a, b).compute().item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_the_metric_does_not_depend_on_batches_ranks_or_order() -> None:
    pictures, style, numbers = features(6, 1), features(4, 2), [0, 0, 1, 1, 2, 2]
    whole, ranks = judge(pictures, style, 20, numbers), [GramDistance(CHANNELS, 20) for _ in range(2)]
    for rank, metric in enumerate(ranks):
        metric.update([layer[rank::2] for layer in style], real=True)
        for i in reversed(range(rank, 6, 2)):
            metric.update([layer[i : i + 1] for layer in pictures], real=False, numbers=numbers[i : i + 1])
    both = GramDistance(CHANNELS, 20)
    for state, reduce in both._reductions.items():  # as the ranks' states are brought together
        setattr(both, state, reduce(torch.stack([getattr(metric, state) for metric in ranks])))  # type: ignore[operator, misc]
    torch.testing.assert_close(both.compute(), whole.compute(), rtol=1e-9, atol=0)
    assert both.interval() == pytest.approx(whole.interval(), rel=1e-9)


def test_the_metric_is_0_for_the_style_and_not_defined_without_either_side() -> None:
    style = features(3, 1)
    assert judge(style, style).compute() < 1e-12
    for real in (True, False):
        metric = GramDistance(CHANNELS)
        metric.update(style, real)
        assert metric.compute().isnan()


def test_the_interval_is_that_of_resampled_clips() -> None:
    pictures, style, numbers = features(24, 1), features(2, 2), [i // 2 for i in range(24)]
    low, high = judge(pictures, style, 1000, numbers).interval()
    draws, values = np.random.default_rng(0), []
    for _ in range(1000):
        rows = [row for clip in draws.integers(0, 12, 12) for row in (2 * clip, 2 * clip + 1)]
        values.append(float(gram_distance(mean_grams([[layer[rows] for layer in pictures]]), mean_grams([style]))))
    expected = np.quantile(values, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.15 * (expected[1] - expected[0]))


def test_200_resamples_of_vgg_fit_into_80_megabytes() -> None:
    metric = GramDistance([64, 128, 256], 200)
    assert sum(value.element_size() * value.numel() for value in metric.metric_state.values()) < 80e6


def test_the_metric_refuses_other_layers() -> None:
    with pytest.raises(ValueError, match=r"layers of \[4, 6\] channels, got \[4\]; use one extractor throughout"):
        GramDistance(CHANNELS).update(features(1, 1)[:1], real=True)
