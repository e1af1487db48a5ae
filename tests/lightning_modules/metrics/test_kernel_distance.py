"""The kernel distance, against loops in float64 and torch-fidelity's KID, and the laws of what it keeps."""

import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.kernel_distance import KernelDistance, mmd, pooled

CHANNELS = (3, 5)


def features(count: int, seed: int, shift: float = 0.0) -> Tensor:
    return (
        torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)).abs() * torch.tensor([1, 9, 1, 1, 5, 1, 2, 1])
        + shift
    )


def judge(ours: Tensor, style: Tensor, numbers: list[int] | None = None, **options: int) -> KernelDistance:
    metric = KernelDistance(CHANNELS, **options)
    metric.update(style, real=True)
    metric.update(ours, real=False, numbers=numbers)
    return metric


def by_hand(ours: Tensor, style: Tensor) -> float:
    """Pair by pair; the product is the mean over layers of the mean over channels, in units of the style's mean square."""
    x, y = ours.double().numpy(), style.double().numpy()
    layers = (slice(0, 3), slice(3, 8))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.mean([(a[s] * b[s]).mean() / (y[:, s] ** 2).mean() for s in layers]) + 1) ** 3)

    def mean(pairs: list[float]) -> float:
        return sum(pairs) / len(pairs)

    within = [mean([kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y)]
    return sum(within) - 2 * mean([kernel(a, b) for a in x for b in y])


def test_equals_the_definition() -> None:
    ours, style = features(5, 1, 0.5), features(4, 2)
    assert judge(ours, style).compute().item() == pytest.approx(by_hand(ours, style), rel=1e-5)


def test_with_one_layer_as_it_is_equals_the_kid_of_torch_fidelity() -> None:
    kid = pytest.importorskip("torch_fidelity.metric_kid", reason="torch-fidelity is not installed")
    ours, style = features(6, 1, 0.5).double(), features(6, 2).double()
    metric = KernelDistance([8], relative=False)
    metric.update(ours, real=False)
    metric.update(style, real=True)
    found = kid.kid_features_to_metric(ours, style, kid_subsets=1, kid_subset_size=6, verbose=False)
    assert metric.compute().item() == pytest.approx(found["kernel_inception_distance_mean"], rel=1e-5)


def test_about_0_for_two_halves_of_one_set_and_more_for_another() -> None:
    same = [judge(features(40, i), features(40, 100 + i)).compute().item() for i in range(12)]
    other = judge(features(40, 1, 1.0), features(40, 100)).compute().item()
    assert min(same) < 0 < max(same)
    assert abs(np.mean(same)) < 0.2 * other


def test_pictures_kept_depend_on_no_order_batch_or_rank() -> None:
    ours, style, numbers = features(60, 1), features(50, 2), [i // 3 for i in range(60)]
    whole = judge(ours, style, numbers, most=20, resamples=10)
    ranks = [KernelDistance(CHANNELS, most=20, resamples=10) for _ in range(3)]
    for rank, metric in enumerate(ranks[:2]):  # the third has nothing
        for i in reversed(range(rank, 60, 2)):
            metric.update(ours[i : i + 1], real=False, numbers=numbers[i : i + 1])
        metric.update(style[rank::2], real=True, numbers=list(range(50))[rank::2])
    both = KernelDistance(CHANNELS, most=20, resamples=10)
    for state, reduce in both._reductions.items():  # as the ranks' states are brought together
        setattr(both, state, reduce(torch.stack([getattr(metric, state) for metric in ranks])))  # type: ignore[operator, misc]
    assert torch.equal(both.judged, whole.judged)
    assert both.compute().item() == pytest.approx(whole.compute().item(), rel=1e-9)
    assert both.interval() == pytest.approx(whole.interval(), rel=1e-9)


def test_pictures_kept_are_a_random_choice_of_clips_by_the_seed() -> None:
    ours, style = features(300, 1), features(50, 2)
    kept = [judge(ours, style, most=100, seed=seed).judged[:, 1].sort().values for seed in (0, 1)]
    assert all(len(set(numbers.tolist())) == 100 for numbers in kept)
    assert not torch.equal(kept[0], kept[1])
    assert all(110 < float(numbers.mean()) < 190 for numbers in kept)


def test_the_interval_is_that_of_resampled_clips() -> None:
    ours, style, numbers = features(40, 1, 0.5), features(20, 2), [i // 2 for i in range(40)]
    metric = judge(ours, style, numbers, resamples=800)
    low, high = metric.interval()
    assert low < metric.compute().item() < high
    # Its spread is that of fresh clips.
    fresh = []
    for seed in range(100):
        clips = features(40, 1000 + seed, 0.5)
        fresh.append(judge(clips, style).compute().item())
    alone = judge(ours, style, resamples=800).interval()
    spread = float(np.quantile(fresh, 0.975) - np.quantile(fresh, 0.025))
    assert 0.5 * spread < alone[1] - alone[0] < 2 * spread


def test_undefined_with_less_than_two_and_without_resamples() -> None:
    for ours, style in ((1, 4), (4, 1), (0, 4)):
        assert judge(features(ours, 1), features(style, 2)).compute().isnan()
    assert all(np.isnan(judge(features(4, 1), features(4, 2)).interval()))


def test_memory_is_bounded_and_it_can_be_copied() -> None:
    metric = KernelDistance(CHANNELS, most=10)
    sizes = []
    for i in range(3):
        metric.update(features(30, i), real=False)
        sizes.append(metric.judged.numel())
    assert len(set(sizes)) == 1
    assert torch.equal(pickle.loads(pickle.dumps(metric)).judged, metric.judged)
    metric.reset()
    assert metric.compute().isnan()


def test_pooled_is_the_mean_over_places() -> None:
    layers = [torch.randn(2, c, 4, 5) for c in CHANNELS]
    expected = [[float(layer[i, c].double().mean()) for layer in layers for c in range(layer.shape[1])] for i in range(2)]
    torch.testing.assert_close(pooled(layers), torch.tensor(expected))


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"pooled features \(N, 8\), got \(2, 7\); use one extractor throughout"):
        KernelDistance(CHANNELS).update(features(2, 1)[:, :7], real=True)


def test_weights_count_pictures_but_no_picture_with_itself() -> None:
    x, y, weights = torch.randn(4, 3).double(), torch.randn(3, 3).double(), [2.0, 0.0, 1.0, 3.0]
    k = [[float((a @ b + 1) ** 3) for b in (*x, *y)] for a in (*x, *y)]
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    within = sum(weights[i] * weights[j] * k[i][j] for i, j in pairs) / sum(weights[i] * weights[j] for i, j in pairs)
    style = sum(k[i][j] for i in (4, 5, 6) for j in (4, 5, 6) if i != j) / 6
    across = sum(weights[i] * k[i][j] for i in range(4) for j in (4, 5, 6)) / (6 * 3)
    found = mmd(x, y, torch.tensor([weights]).double())
    assert found.tolist() == pytest.approx([within + style - 2 * across], rel=1e-9)
