"""The network that others are compared with."""

import torch

from fit.bench_transformer import TransformerNet
from tests.framewise_network import TransformerNet as Published


def test_the_usual_network_is_the_published_one() -> None:
    own, published = TransformerNet().eval(), Published().eval()
    layers = [module for module in own.modules() if not list(module.children()) and list(module.parameters())]
    others = [module for module in published.modules() if not list(module.children()) and list(module.parameters())]
    order = sorted(range(len(others)), key=lambda n: place_of(others[n], published))
    for layer, other in zip(layers, (others[n] for n in order), strict=True):
        torch.nn.init.normal_(other.weight, std=0.1)
        layer.load_state_dict(other.state_dict())
    frames = torch.rand(1, 3, 32, 40) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(own(frames), published(frames), atol=1e-4, rtol=1e-4)


def place_of(module: torch.nn.Module, network: torch.nn.Module) -> int:
    """When a layer is called, by the published table: each convolution, then its norm."""
    name = next(name for name, other in network.named_modules() if other is module)
    order = ["conv1.", "in1", "conv2.", "in2", "conv3.", "in3"]
    order += [f"res{i}.{part}" for i in range(1, 6) for part in ("conv1.", "in1", "conv2.", "in2")]
    order += ["deconv1.", "in4", "deconv2.", "in5", "deconv3."]
    return next(n for n, part in enumerate(order) if name.startswith(part))
