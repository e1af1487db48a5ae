"""The moving average of generators, against its formula."""

import pytest
import torch
from torch import nn

from lightning_modules.average import averaged, follow


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.register_buffer("count", torch.tensor(0))


def test_starts_as_a_frozen_copy() -> None:
    network = Net()
    average = averaged(network)
    assert not any(p.requires_grad for p in average.parameters())
    assert network.training
    assert not average.training
    assert all(p.requires_grad for p in network.parameters())
    with torch.no_grad():
        network.weight += 1
    assert (average.weight == 0).all()


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_follows_by_the_formula(decay: float) -> None:
    network, draws = Net(), torch.Generator().manual_seed(0)
    average, expected = averaged(network), torch.zeros(3)
    for step in range(1, 40):
        with torch.no_grad():
            network.weight.copy_(torch.randn(3, generator=draws))
        follow(average, network, decay, step)
        d = min(decay, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * network.weight.detach()
        torch.testing.assert_close(average.weight.data, expected)


def test_the_start_fades() -> None:
    # Weights that arrive at once are there soon, however slow the average; a plain average would still be near 0.
    network = Net()
    average = averaged(network)
    nn.init.ones_(network.weight)
    for step in range(1, 41):
        follow(average, network, 0.999, step)
    assert (average.weight > 0.99).all()


def test_buffers_are_taken_over() -> None:
    network = Net()
    average = averaged(network)
    network.count += 5
    follow(average, network, 0.99, 1)
    assert average.count == 5
    network.count += 1
    assert average.count == 5
