"""Winograd's convolution is the convolution, there and back, and is taken only where it pays."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.ops import layers
from lightning_modules.ops.layers import PaddedConv2d
from lightning_modules.ops.winograd import pays, winograd

CHANNELS_LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format


def drawn(n: int, c: int, d: int, high: int, wide: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Frames ``(n, c, high + 2, wide + 2)``, weight and bias, with gradients."""
    torch.manual_seed(0)
    shapes = ((n, c, high + 2, wide + 2), (d, c, 3, 3), (d,))
    frames, weight, bias = (torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes)
    return frames, weight, bias


@pytest.mark.parametrize("layout", [CHANNELS_LAST, CONTIGUOUS])
@pytest.mark.parametrize(("n", "c", "d", "high", "wide"), [(1, 1, 1, 4, 4), (2, 3, 5, 8, 12), (3, 4, 2, 16, 4)])
def test_it_is_the_convolution(n: int, c: int, d: int, high: int, wide: int, layout: torch.memory_format) -> None:
    given = drawn(n, c, d, high, wide)
    given = (given[0].contiguous(memory_format=layout), given[1].contiguous(memory_format=layout), given[2])
    ours, torchs = winograd(*given), F.conv2d(*given)
    torch.testing.assert_close(ours, torchs, check_stride=False)
    towards = torch.randn_like(torchs)
    for mine, theirs in zip(*(torch.autograd.grad(y, given, towards) for y in (ours, torchs)), strict=True):
        torch.testing.assert_close(mine, theirs, check_stride=False)


def test_its_gradient_is_that_of_its_values() -> None:
    assert torch.autograd.gradcheck(winograd, drawn(2, 2, 3, 8, 4))


def test_rounding_in_single_precision() -> None:
    given = drawn(2, 256, 256, 32, 32, torch.float32)
    ours, exact = winograd(*given), F.conv2d(*(tensor.double() for tensor in given))
    towards = torch.randn_like(ours)
    sides = ([ours, *torch.autograd.grad(ours, given, towards)], [exact, *torch.autograd.grad(exact, given, towards.double())])
    for mine, theirs in zip(*sides, strict=True):
        assert (mine - theirs).abs().max() < 2e-5 * theirs.abs().max()


def test_a_second_derivative_is_refused() -> None:
    given = drawn(1, 1, 1, 4, 4)
    (slope,) = torch.autograd.grad(winograd(*given).square().sum(), given[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_its_result_can_be_changed_in_place() -> None:
    ours, torchs = (convolve(*drawn(1, 2, 3, 4, 4)).relu_() for convolve in (winograd, F.conv2d))
    torch.testing.assert_close(ours, torchs, check_stride=False)
    ours.sum().backward()


def taken(n: int = 1, c: int = 128, d: int = 128, side: int = 32, dtype: torch.dtype = torch.float32) -> bool:
    return pays(torch.empty(n, c, side + 2, side + 2, dtype=dtype), torch.empty(d, c, 3, 3, dtype=dtype))


def test_it_is_taken_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken()
    assert taken(n=4, side=16)
    assert not taken(side=16)  # too few pixels
    assert not taken(side=34)  # no whole tiles
    assert not taken(c=64)
    assert not taken(d=64)
    assert not taken(dtype=torch.float64)
    assert not pays(torch.empty(128, 34, 34), torch.empty(128, 128, 3, 3))  # not batched
    assert not pays(torch.empty(1, 128, 34, 34), torch.empty(128, 128, 5, 5))  # another kernel
    assert not pays(torch.empty(1, 128, 34, 40), torch.empty(128, 128, 3, 3))  # whole tiles one way only
    with torch.no_grad():
        assert not taken()
    with torch.autocast("cpu", torch.bfloat16):
        assert not taken()
    with torch.device("meta"):
        assert not taken()
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not taken()


def test_a_generator_trains_with_it_as_with_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, frames = ResNetGenerator(channels=32, blocks=1), torch.rand(1, 3, 128, 128) * 2 - 1
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.ReLU):  # of which rounding can turn one on or off, which changes gradients by far more
            network.set_submodule(name, nn.SiLU())
    calls: list[Tensor] = []

    def gradients() -> list[Tensor]:
        network.zero_grad()
        network(frames).square().mean().backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    monkeypatch.setattr(layers, "winograd", lambda *given: calls.append(given[0]) or winograd(*given))
    ours = gradients()
    assert len(calls) == 2  # both convolutions of the block
    monkeypatch.setattr(layers, "pays", lambda *_: False)
    for mine, theirs in zip(ours, gradients(), strict=True):
        assert (mine - theirs).norm() <= 3e-5 * theirs.norm() + 1e-7
    assert len(calls) == 2


def test_it_is_computed_again_where_activations_are() -> None:
    torch.manual_seed(0)
    plain = ResNetGenerator(channels=32, blocks=1)
    saving = ResNetGenerator(channels=32, blocks=1, checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    frames = torch.rand(1, 3, 128, 128) * 2 - 1
    for network in (plain, saving):
        network(frames).square().mean().backward()
    for mine, theirs in zip(saving.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_other_kernels_are_not_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, calls = torch.randn(1, 128, 34, 34), []  # with a border of two pixels to each side, tiles are whole
    monkeypatch.setattr(layers, "winograd", lambda *given: calls.append(given[0]) or winograd(*given))
    PaddedConv2d(128, 128, 5, "reflect")(frames)
    assert not calls
    PaddedConv2d(128, 128, 3, "reflect")(frames[..., 1:-1, 1:-1])
    assert len(calls) == 1
