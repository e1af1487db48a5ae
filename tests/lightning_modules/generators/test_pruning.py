import pytest
import torch

from lightning_modules.generators.pruning import pruned
from lightning_modules.generators.realtime import RealtimeGenerator


def network(width: int, depth: int = 2) -> RealtimeGenerator:
    torch.manual_seed(0)
    generator = RealtimeGenerator(width, depth)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return generator


def test_channels_that_nothing_is_lost_with_go_and_the_picture_stays() -> None:
    small, wide = network(24), network(32)
    fine = torch.randperm(32)[:24].sort().values
    deep, inner = torch.randperm(64)[:48].sort().values, torch.randperm(64)[:48].sort().values
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.zero_()
        for name, value in small.named_parameters():
            target = wide.get_parameter(name)
            if name.startswith("stem"):
                target[fine] = value
            elif name == "down.weight":
                target[deep[:, None], fine] = value
            elif name == "down.bias" or "across" in name or name.endswith("narrow.bias"):
                target[deep] = value
            elif name.endswith("widen.weight"):
                target[inner[:, None], deep] = value
            elif name.endswith("widen.bias"):
                target[inner] = value
            elif name.endswith("narrow.weight"):
                target[deep[:, None], inner] = value
            elif name == "up.weight":
                target[fine[:, None], deep] = value
            elif name == "up.bias":
                target[fine] = value
            elif name == "head.weight":
                target[:, fine] = value
            else:
                target.copy_(value)
    narrower = RealtimeGenerator(24, 2)
    narrower.load_state_dict(pruned(wide.state_dict(), 24))
    frames = torch.rand(1, 3, 32, 40) * 2 - 1
    torch.testing.assert_close(narrower(frames), wide(frames))
    torch.testing.assert_close(narrower(frames), small(frames))


def test_the_same_width_changes_nothing_and_the_weights_given_stay() -> None:
    state = network(24).state_dict()
    before = {name: value.clone() for name, value in state.items()}
    for name, value in pruned(state, 24).items():
        assert torch.equal(value, before[name])
    pruned(network(32).state_dict(), 24)
    assert all(torch.equal(value, before[name]) for name, value in state.items())


def test_a_wider_one_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at most 24, the network's own, got 32"):
        pruned(network(24).state_dict(), 32)
