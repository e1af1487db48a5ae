"""The benchmark: both of its sides do the same, and it says how long they take."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fit import bench, bench_step
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.generators.resnet import ResNetGenerator

CPU = torch.device("cpu")
SMALL = {"generator": partial(ResNetGenerator, 6, 1), "critic": partial(PatchGAN, 6, 1)}


def networks(side: Any) -> Iterator[tuple[str, nn.Module]]:
    """The four networks of either side."""
    for name in ("to_style", "to_content", "style_critic", "content_critic"):
        network = getattr(side, name)
        yield name, getattr(network, "network", network)


def record_gradients(side: Any) -> dict[str, Tensor]:
    """Filled with the gradients of the weights at each update."""
    found: dict[str, Tensor] = {}
    for name, network in networks(side):
        for part, parameter in network.named_parameters():
            key = f"{name}.{part}"
            parameter.register_post_accumulate_grad_hook(lambda p, key=key: found.__setitem__(key, p.grad.clone()))
    return found


def pictures(size: int = 16) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    x, y = torch.rand(2, 2, 3, size, size) * 2 - 1
    return x, y


def test_both_sides_compute_the_same_gradients() -> None:
    torch.manual_seed(0)
    method = bench_step.plain_cyclegan(**SMALL, pool=0)
    loop = bench_step.EagerLoop(method, CPU)
    ours, eager = record_gradients(method), record_gradients(loop)
    bench_step.alternate(method, loop, *pictures(), bf16=False)
    assert ours.keys() == eager.keys()
    assert len(ours) == sum(len(list(network.parameters())) for _, network in networks(method))
    for name, gradient in eager.items():
        largest = max(g.abs().max() for other, g in eager.items() if other.split(".")[0] == name.split(".")[0])
        torch.testing.assert_close(ours[name], gradient, rtol=1e-3, atol=1e-5 * float(largest), msg=name)


def test_both_sides_go_the_same_way() -> None:
    torch.manual_seed(0)
    method = bench_step.plain_cyclegan(**SMALL, pool=0, steps=3)
    loop = bench_step.EagerLoop(method, CPU)
    x, y = pictures()
    with torch.no_grad():
        before = [network(y) for _, network in networks(method)]
        bench_step.alternate(method, loop, x, y, bf16=False)
        ours, eager = ([network(y) for _, network in networks(side)] for side in (method, loop))
    for start, one, other in zip(before, ours, eager, strict=True):
        assert (one - other).norm() < 0.02 * (other - start).norm()


def test_each_step_is_timed_on_its_own_side() -> None:
    class Slow(bench_step.EagerLoop):
        def step(self, x: Tensor, y: Tensor) -> None:
            time.sleep(0.5)

    method = bench_step.plain_cyclegan(**SMALL, steps=3)
    timing = bench_step.alternate(method, Slow(method, CPU), *pictures(), bf16=False)
    assert len(timing.eager) == len(timing.ours) == 3
    assert min(timing.eager) >= 0.5 > min(timing.ours) > 0


def test_networks_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in network.parameters()) for _, network in networks(bench_step.plain_cyclegan())]
    assert sizes == [11_378_179, 11_378_179, 2_764_737, 2_764_737]


def test_the_command_prints_a_ratio(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_step, "plain_cyclegan", partial(bench_step.plain_cyclegan, **SMALL))
    assert bench.main(["step", "--size", "32", "--repeats", "2"]) == 0
    title, _, eager, ours, ratio = capsys.readouterr().out.splitlines()
    assert "32x32" in title
    assert float(ratio.rpartition(" ")[2]) == pytest.approx(float(eager.split()[-3]) / float(ours.split()[-3]), rel=0.3)


def test_the_eager_loop_has_torchs_own_layers() -> None:
    ours = ResNetGenerator(6, 1)
    theirs = bench_step.with_torchs_layers(ours)
    assert {type(layer).__module__.split(".")[0] for layer in theirs.modules() if not list(layer.children())} == {"torch"}
    frames, _ = pictures()
    torch.testing.assert_close(theirs(frames), ours(frames), atol=1e-5, rtol=1e-4)
