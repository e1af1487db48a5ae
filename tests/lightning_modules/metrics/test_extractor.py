"""Random features, and which extractor is chosen when."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.models import VGG19_Weights, vgg

from lightning_modules.losses.random_gram import random_layers
from lightning_modules.metrics.extractor import RandomFeatures, channels, extractor


def pictures(count: int = 2, side: int = 24) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    network = vgg.make_layers(vgg.cfgs["E"][:7], batch_norm=False)
    torch.save({f"features.{key}": value for key, value in network.state_dict().items()}, path)
    return path


def test_features_are_two_networks_for_each_octave() -> None:
    features, frames = RandomFeatures(), pictures()
    found = features(frames)
    assert [tuple(layer.shape) for layer in found] == [(2, 64, 20, 20)] * 2 + [(2, 64, 8, 8)] * 2
    for octave, halved in enumerate((frames, F.avg_pool2d(frames, 2))):
        for i, network in enumerate(features.octaves[octave]):
            edges, mixed = (layer.weight for layer in network if hasattr(layer, "weight"))
            torch.testing.assert_close(found[2 * octave + i], F.conv2d(F.conv2d(halved, edges).relu(), mixed).relu())


def test_every_one_has_the_same_filters_and_none_of_a_training_run() -> None:
    before = torch.random.get_rng_state()
    first, second = (RandomFeatures() for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    for a, b in zip(first(pictures()), second(pictures()), strict=True):
        assert torch.equal(a, b)
    ours = torch.cat([network[0].weight for octave in first.octaves for network in octave]).flatten(1)
    for seed in range(3):
        layers = random_layers(torch.Generator().manual_seed(seed))
        trained = torch.cat([edges for octave in layers for edges, _ in octave]).flatten(1)
        assert (F.normalize(ours) @ F.normalize(trained).T).max() < 0.99


def test_half_of_them_see_no_plain_colour() -> None:
    flat = torch.tensor([0.9, -0.5, 0.1]).view(1, 3, 1, 1).expand(1, 3, 12, 12)
    seen = [float(layer.abs().max()) for layer in RandomFeatures()(flat)]
    assert min(seen[0::2]) > 0.1
    assert max(seen[1::2]) < 1e-5


def test_clips_are_pictures_and_half_precision_is_raised() -> None:
    features, clips = RandomFeatures(), pictures(4).unflatten(0, (2, 2))
    for a, b in zip(features(clips), features(clips.flatten(0, 1)), strict=True):
        assert torch.equal(a, b)
    assert features(clips.bfloat16())[0].dtype == torch.float32


def test_automatic_means_vgg_where_its_weights_are(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("a download was started"))
    assert isinstance(extractor(), RandomFeatures)
    assert extractor("auto", weights).label == "VGG-19 relu1_1, relu2_1, relu3_1"
    cached = tmp_path / "hub" / "checkpoints" / Path(VGG19_Weights.IMAGENET1K_V1.url).name
    cached.parent.mkdir(parents=True)
    cached.symlink_to(weights)
    assert extractor().label == "VGG-19 relu1_1, relu2_1, relu3_1"
    assert isinstance(extractor("random"), RandomFeatures)


def test_channels_are_those_of_the_features(weights: Path) -> None:
    assert channels(extractor("vgg19", weights)) == [64, 128, 256]
    assert channels(RandomFeatures()) == [64] * 4


def test_labels() -> None:
    assert RandomFeatures().label == "random features"


@pytest.mark.shared
def test_labels_of_real_weights(shared: Path) -> None:
    squeezenet = extractor("squeezenet1_1", shared / "weights" / "squeezenet1_1_imagenet_features.pth")
    assert squeezenet.label == "SqueezeNet 1.1 relu1, fire3, fire5"
    # Its channels are scaled to a mean of 1, which weighs them differently: figures are not those of the usual VGG-19.
    normalised = extractor("vgg19", shared / "weights" / "vgg19_normalised_conv3_1.pth")
    assert normalised.label == "normalised VGG-19 relu1_1, relu2_1, relu3_1"


@pytest.mark.shared
def test_random_features_know_one_half_of_a_painting_by_the_other(shared: Path) -> None:
    from lightning_modules.metrics.style_distance import gram_distance, mean_grams

    def middle(path: Path) -> list[Tensor]:
        whole = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).movedim(-1, 0)[None] / 127.5 - 1
        return [half[..., :300] for half in whole[..., 100:300, 100:700].split(300, -1)]

    features = RandomFeatures()
    left, right = (mean_grams([features(half)]) for half in middle(shared / "styles" / "brushstrokes.jpg"))
    photograph = mean_grams([features(middle(shared / "content" / "tubingen.jpg")[0])])
    assert gram_distance(right, left) < 0.5 * gram_distance(photograph, left)


def test_refusals(weights: Path) -> None:
    with pytest.raises(ValueError, match=r"sides of at least 10, got \(1, 3, 9, 24\)"):
        RandomFeatures()(pictures(1)[..., :9, :])
    with pytest.raises(ValueError, match="expected one of auto, random, vgg19, squeezenet1_1, got 'vgg'; choose one"):
        extractor("vgg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected no weights for random features, got .*; drop them or choose vgg19"):
        extractor("random", weights)
