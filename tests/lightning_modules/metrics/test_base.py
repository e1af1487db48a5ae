import pytest
import torch
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric


class Ratio(ClipMetric):
    """Of two sums: not the mean of the clips' own ratios."""

    def __init__(self, **options: int) -> None:
        super().__init__(2, **options)

    def update(self, statistics: Tensor, numbers: list[int] | None = None) -> None:
        self.add(statistics, numbers)

    def value(self, sums: Tensor) -> Tensor:
        return sums[..., 0] / sums[..., 1]


@pytest.fixture
def statistics() -> Tensor:
    return torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 1.0])


def test_is_a_function_of_the_sums(statistics: Tensor) -> None:
    metric = Ratio()
    metric.update(statistics)
    assert float(metric.compute()) == pytest.approx(float(statistics[:, 0].sum() / statistics[:, 1].sum()))


def test_does_not_depend_on_batches(statistics: Tensor) -> None:
    whole, parts = Ratio(resamples=50), Ratio(resamples=50)
    whole.update(statistics)
    for part in statistics.split([1, 7, 32]):
        parts.update(part)
    torch.testing.assert_close(parts.sums, whole.sums, rtol=1e-12, atol=0)


def test_does_not_depend_on_which_rank_saw_a_clip(statistics: Tensor) -> None:
    whole, ranks = Ratio(resamples=50), [Ratio(resamples=50) for _ in range(2)]
    whole.update(statistics)
    for rank, metric in enumerate(ranks):
        metric.update(statistics[rank::2], list(range(40))[rank::2])
    torch.testing.assert_close(ranks[0].sums + ranks[1].sums, whole.sums, rtol=1e-12, atol=0)
    assert all(metric._reductions["sums"] is torchmetrics_sum() for metric in ranks)


def torchmetrics_sum() -> object:
    from torchmetrics.utilities import dim_zero_sum

    return dim_zero_sum


def test_the_interval_is_that_of_resampled_clips(statistics: Tensor) -> None:
    metric = Ratio(resamples=2000)
    metric.update(statistics)
    low, high = metric.interval()
    # The usual bootstrap: 40 of the 40 clips, with replacement.
    chosen = torch.randint(40, (4000, 40), generator=torch.Generator().manual_seed(1))
    sums = statistics.double()[chosen].sum(1)
    expected = (sums[:, 0] / sums[:, 1]).quantile(torch.tensor([0.025, 0.975]).double())
    width = float(expected[1] - expected[0])
    assert low == pytest.approx(float(expected[0]), abs=0.15 * width)
    assert high == pytest.approx(float(expected[1]), abs=0.15 * width)
    assert low < float(metric.compute()) < high


def test_rows_with_one_number_are_resampled_together() -> None:
    apart, together = Ratio(resamples=2000), Ratio(resamples=2000)
    rows = torch.tensor([[0.0, 1.0], [1.0, 1.0]]).repeat_interleave(4, 0)
    apart.update(rows)
    together.update(rows, [0, 0, 0, 0, 1, 1, 1, 1])
    assert together.sums[1:, 0].var() > 2 * apart.sums[1:, 0].var()


def test_without_resamples_there_is_no_interval(statistics: Tensor) -> None:
    metric = Ratio()
    metric.update(statistics)
    assert all(value != value for value in metric.interval())


def test_reset_forgets(statistics: Tensor) -> None:
    metric = Ratio(resamples=3)
    metric.update(statistics)
    metric.reset()
    assert not metric.sums.any()
    assert torch.isnan(metric.compute())
