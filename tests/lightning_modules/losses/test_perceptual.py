"""Feature losses, and that weights of every layout end up where they belong."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.models import squeezenet1_1, vgg

from lightning_modules.losses.perceptual import FeatureExtractor, content_loss, gram_style_loss


@pytest.fixture(scope="module")
def vgg_features() -> nn.Sequential:
    """VGG-19 as torchvision builds it, with random weights, to relu3_1."""
    return vgg.make_layers(vgg.cfgs["E"][:7], batch_norm=False)


@pytest.fixture(scope="module")
def weights(vgg_features: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    torch.save({f"features.{key}": value for key, value in vgg_features.state_dict().items()}, path)
    return path


def imagenet(frames: Tensor) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((frames + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def picture(path: Path, side: int) -> Tensor:
    """The middle of a picture, ``(1, 3, side, side)`` in [-1, 1]."""
    whole = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).movedim(-1, 0)[None]
    top, left = (whole.shape[-2] - side) // 2, (whole.shape[-1] - side) // 2
    return whole[..., top : top + side, left : left + side] / 127.5 - 1


def test_vgg_equals_torchvisions(vgg_features: nn.Sequential, weights: Path) -> None:
    frames = torch.rand(2, 2, 3, 18, 17) * 2 - 1
    found = FeatureExtractor("vgg19", ["relu3_1", "conv1_2"], weights)(frames)
    inputs = imagenet(frames.flatten(0, 1))
    torch.testing.assert_close(found[0], vgg_features[:12](inputs), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found[1], vgg_features[:3](inputs), atol=1e-5, rtol=1e-4)


def test_squeezenet_equals_torchvisions(tmp_path: Path) -> None:
    network = squeezenet1_1()
    torch.save(network.state_dict(), tmp_path / "squeezenet.pth")
    frames = torch.rand(1, 3, 40, 40) * 2 - 1
    found = FeatureExtractor("squeezenet1_1", ["relu1", "fire3", "fire9"], tmp_path / "squeezenet.pth")(frames)
    for features, depth in zip(found, (2, 5, 13), strict=True):
        torch.testing.assert_close(features, network.features[:depth](imagenet(frames)), atol=1e-5, rtol=1e-4)


@pytest.mark.shared
def test_normalised_vgg_is_undone_by_the_decoder_trained_for_it(shared: Path) -> None:
    extractor = FeatureExtractor("vgg19", ["relu2_1"], shared / "weights" / "vgg19_normalised_conv3_1.pth")
    state = torch.load(shared / "weights" / "wct_decoder_conv2_1.pth", weights_only=True)
    layers = [(state[key], state[key.replace("weight", "bias")]) for key in state if key.endswith("weight")]
    frames = picture(shared / "content" / "dog1.jpg", 160)
    (restored,) = extractor(frames)
    for i, (weight, bias) in enumerate(layers):
        restored = F.conv2d(F.pad(restored, (1, 1, 1, 1), mode="reflect"), weight, bias)
        restored = restored.relu() if i < 2 else restored
        restored = F.interpolate(restored, scale_factor=2.0) if i == 0 else restored
    error = (restored - (frames + 1) / 2).square().mean().item()
    assert -10 * math.log10(error) > 30  # 34.5 dB on the whole picture


@pytest.mark.shared
def test_real_squeezenet_knows_a_painting_from_a_photograph(shared: Path) -> None:
    extractor = FeatureExtractor("squeezenet1_1", weights=shared / "weights" / "squeezenet1_1_imagenet_features.pth")
    photograph = extractor(picture(shared / "content" / "dog1.jpg", 200))
    left, right = (
        extractor(half) for half in picture(shared / "styles" / "brushstrokes.jpg", 400)[..., 100:300, :].split(200, -1)
    )
    assert gram_style_loss(right, left) < 0.5 * gram_style_loss(photograph, left)


def test_is_frozen_and_saved_nowhere_but_lets_gradients_through(weights: Path) -> None:
    method = nn.ModuleDict({"extractor": FeatureExtractor(weights=weights), "generator": nn.Conv2d(3, 3, 1)}).train()
    assert not list(method["extractor"].parameters())
    assert set(method.state_dict()) == {"generator.weight", "generator.bias"}
    frames = torch.rand(1, 3, 16, 16, requires_grad=True)
    method["extractor"](frames)[-1].sum().backward()
    assert frames.grad.abs().sum() > 0


def test_building_one_draws_no_random_numbers(weights: Path) -> None:
    # Else turning the term on would start the networks from other weights.
    before = torch.random.get_rng_state()
    FeatureExtractor(weights=weights)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_content_loss_by_hand() -> None:
    target = [torch.zeros(2, 4, 3, 3), torch.zeros(2, 8, 2, 2)]
    features = [torch.full((2, 4, 3, 3), 2.0), torch.full((2, 8, 2, 2), 3.0)]
    assert content_loss(target, target).item() == 0
    assert content_loss(features, target).item() == pytest.approx((4 + 9) / 2)


def test_gram_style_ignores_place_and_measures_relative_to_the_style() -> None:
    style = [torch.randn(1, 4, 6, 6), torch.randn(1, 8, 3, 3)]
    elsewhere = [s.flatten(2)[..., torch.randperm(s[0, 0].numel())].view_as(s) for s in style]
    assert gram_style_loss(elsewhere, style).item() == pytest.approx(0, abs=1e-6)
    assert gram_style_loss([0 * s for s in style], style).item() == pytest.approx(1)
    # Twice the activations, four times the Gram matrix.
    assert gram_style_loss([2 * s for s in style], style).item() == pytest.approx(9, rel=1e-5)


def test_gradients_reach_the_stylised_side_only() -> None:
    made, given = torch.randn(1, 4, 5, 5, requires_grad=True), torch.randn(2, 4, 5, 5, requires_grad=True)
    (gram_style_loss([made], [given]) + content_loss([made], [given[:1]])).backward()
    assert made.grad is not None
    assert given.grad is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "resnet"}, "expected one of vgg19, squeezenet1_1, got 'resnet'"),
        ({"layers": ["relu4_1"]}, "expected some of conv1_1, .*relu3_1, got relu4_1"),
        ({"network": "squeezenet1_1"}, "expected the weights of SqueezeNet 1.1"),
    ],
)
def test_errors_say_what_to_do(arguments: dict, message: str, weights: Path) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        FeatureExtractor(**{"weights": weights, **arguments})
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(squeezenet1_1().state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match="expected the weights of VGG-19"):
        FeatureExtractor("vgg19", weights=tmp_path / "other.pth")
