"""CycleGAN's generator."""

import pytest
import torch
from torch import nn

from lightning_modules.generators.resnet import ResNetGenerator


@pytest.mark.parametrize(("blocks", "parameters"), [(9, 11_378_179), (6, 7_837_699)])
@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_parameters_are_those_of_cyclegan(blocks: int, parameters: int, upsample: str) -> None:
    with torch.device("meta"):
        network = ResNetGenerator(blocks=blocks, upsample=upsample)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert not any(layer.affine for layer in network.modules() if isinstance(layer, nn.InstanceNorm2d))


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_size_and_range_are_kept(upsample: str) -> None:
    network = ResNetGenerator(4, 1, upsample)
    for shape in ((2, 3, 8, 8), (3, 12, 20), (2, 2, 3, 16, 8)):
        painted = network(torch.rand(shape) * 2 - 1)
        assert painted.shape == shape
        assert painted.abs().max() <= 1


def test_frames_are_painted_one_by_one() -> None:
    network = ResNetGenerator(4, 2)
    clips = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    single = torch.stack([torch.stack([network(frame) for frame in clip]) for clip in clips])
    torch.testing.assert_close(network(clips), single, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("size", [(4, 8), (8, 10), (18, 16)])
def test_sizes_that_do_not_fit_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 4 and at least 8, got {size[0]}x{size[1]}"):
        ResNetGenerator(2, 1)(torch.zeros(1, 3, *size))


def test_resizing_leaves_no_checkerboard() -> None:
    even, uneven = (ResNetGenerator(8, 1, upsample) for upsample in ("resize", "transposed"))
    flat = torch.ones(1, 32, 6, 6)
    at = [isinstance(layer, nn.Upsample) for layer in even.layers].index(True)
    assert even.layers[at : at + 2](flat).std((2, 3)).max() < 1e-6
    transposed = next(layer for layer in uneven.layers if isinstance(layer, nn.ConvTranspose2d))
    assert transposed(flat).std((2, 3)).min() > 1e-3


def test_starts_from_small_normal_weights() -> None:
    for weight in (p for p in ResNetGenerator(32, 2).parameters() if p.numel() > 9000):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_unknown_upsampling() -> None:
    with pytest.raises(ValueError, match="transposed, resize, got 'nearest'"):
        ResNetGenerator(2, 1, "nearest")
