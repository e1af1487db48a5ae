"""A convolution to few channels in two steps is the convolution, there and back, and is taken only where it was measured."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops import layers
from lightning_modules.ops.few_channels import by_rows, few
from lightning_modules.ops.layers import PaddedConv2d


@pytest.mark.parametrize("shape", [(3, 4, 7, 7), (1, 2, 5, 3), (2, 3, 3, 5)])
def test_it_is_the_convolution(shape: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    sizes = ((2, shape[1], 11, 13), shape, shape[:1])
    frames, weight, bias = (torch.randn(size, dtype=torch.float64).requires_grad_() for size in sizes)
    ours, torchs = by_rows(frames, weight, bias), F.conv2d(frames, weight, bias)
    torch.testing.assert_close(ours, torchs, check_stride=False)
    towards = torch.randn_like(torchs)
    for mine, theirs in zip(*(torch.autograd.grad(y, (frames, weight, bias), towards) for y in (ours, torchs)), strict=True):
        torch.testing.assert_close(mine, theirs, check_stride=False)


def test_few_results_and_many_rows() -> None:
    assert few(torch.empty(3, 64, 7, 7))
    assert not few(torch.empty(64, 3, 7, 7))
    assert not few(torch.empty(3, 64, 3, 3))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_layer_takes_it_in_training(monkeypatch: pytest.MonkeyPatch, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    layer = PaddedConv2d(8, 3, 7, "reflect").to(memory_format=layout)  # type: ignore[call-overload]
    frames, calls = torch.randn(2, 8, 16, 16).contiguous(memory_format=layout), []

    def counted(*given: Tensor) -> Tensor:
        calls.append(given[0])
        return by_rows(*given)

    monkeypatch.setattr(layers, "by_rows", counted)
    trained = layer(frames)
    assert len(calls) == 1
    with torch.no_grad():
        torch.testing.assert_close(trained, layer(frames), check_stride=False)
    with torch.autocast("cpu", torch.bfloat16):
        layer(frames)
    PaddedConv2d(8, 5, 7, "reflect")(frames)
    assert len(calls) == 1
