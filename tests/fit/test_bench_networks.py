"""What is measured of networks."""

import pytest
import torch

from fit import bench_networks
from fit.bench_networks import matrix_peak


def test_matrix_peak_counts_multiply_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(100))
    monkeypatch.setattr(bench_networks, "SIDE", 10)
    monkeypatch.setattr(bench_networks, "now", lambda _: next(moments))
    assert matrix_peak(torch.float32, "cpu") == 1000


@pytest.mark.parametrize(("a_second", "side"), [(1e15, 2048), (1024**3 / 0.15, 1024), (1.0, 256)])
def test_matrix_peak_multiplies_no_larger_squares_than_the_machine_is_fit_for(
    monkeypatch: pytest.MonkeyPatch, a_second: float, side: int
) -> None:
    sides = []

    def product(side: int, kind: torch.dtype, device: str) -> float:
        sides.append(side)
        return side**3 / a_second

    monkeypatch.setattr(bench_networks, "timed_product", product)
    assert matrix_peak(torch.bfloat16, "cpu") == pytest.approx(a_second)
    assert set(sides[-5:]) == {side}
    assert max(sides) == side
