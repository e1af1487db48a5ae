"""The comparison of memory layouts."""

import re

import pytest
import torch
from torch import Tensor, nn

from fit import bench, bench_layout


def test_the_ratio_is_contiguous_over_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[bool] = []

    def measured(network: nn.Conv2d, frames: Tensor, dtype: torch.dtype) -> float:
        turns.append(network.weight.is_contiguous(memory_format=torch.channels_last))
        return 1.0 if turns[-1] else 3.0

    monkeypatch.setattr(bench_layout, "seconds", measured)
    assert bench_layout.ratio(lambda: nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8), torch.float32, repeats=2) == 3
    assert turns == [False, True] * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_pass_goes_back_to_the_weights(dtype: torch.dtype) -> None:
    network, seen = nn.Conv2d(3, 4, 3), []
    network.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    assert bench_layout.seconds(network, torch.rand(1, 3, 8, 8), dtype) > 0
    assert seen == [dtype]
    assert network.weight.grad is not None


def test_the_command_prints_every_network(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_layout, "ratio", lambda build, frames, dtype, repeats: build() and frames.dim() + repeats)
    monkeypatch.setattr(bench_layout, "native_bf16", lambda device: True)
    assert bench.main(["layout", "--size", "32", "--repeats", "2"]) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert "32x32" in title
    assert [re.split(" {2,}", row) for row in rows] == [
        ["ResNetGenerator", "float32 6.00", "bfloat16 6.00"],
        ["RealtimeGenerator", "float32 6.00", "bfloat16 6.00"],
        ["PatchGAN", "float32 6.00", "bfloat16 6.00"],
        ["TemporalPatchGAN", "float32 7.00", "bfloat16 7.00"],
    ]
