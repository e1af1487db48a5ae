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
