"""FID's formula against torch-fidelity's on given features, and no name that its network does not earn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import inception_v3

from lightning_modules.metrics import frechet
from lightning_modules.metrics.frechet import ArtInception, art_fid, art_inception, frechet_distance, inception


def features(count: int, seed: int) -> Tensor:
    mixed = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed // 10)).double()
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)).double() @ mixed + seed // 10


def test_frechet_distance_equals_torch_fidelitys() -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid", reason="torch-fidelity is not installed")
    ours, style = features(40, 1), features(50, 12)
    metric = frechet_distance(6)
    for part in ours.split(7):
        metric.update(part, real=False)
    metric.update(style, real=True)
    statistics = [fid.fid_features_to_statistics(x) for x in (ours, style)]
    expected = fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert metric.compute().item() == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_is_0_for_the_style_itself() -> None:
    metric = frechet_distance(6)
    for real in (True, False):
        metric.update(features(40, 1), real)
    assert metric.compute().item() == pytest.approx(0, abs=1e-6)


def test_art_fid_is_the_product() -> None:
    assert art_fid(0.5, 20.0) == pytest.approx(1.5 * 21)
    assert art_fid(0.0, 0.0) == 1


@pytest.fixture(scope="module")
def art_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network in the layout of the published one, with its two heads."""
    torch.manual_seed(0)
    state = inception_v3(weights=None, aux_logits=False, init_weights=False).state_dict()
    state = {key: value.half() for key, value in state.items() if not key.startswith("fc")}
    path = tmp_path_factory.mktemp("weights") / "art_inception.pth"
    torch.save(state | {"fc1.weight": torch.ones(2, 2048), "AuxLogits1.conv0.conv.weight": torch.ones(1)}, path)
    return path


def test_the_art_network_is_torchvisions_on_values_from_0_to_1(art_weights: Path) -> None:
    network = inception_v3(weights=None, aux_logits=False, init_weights=False, transform_input=False).eval()
    network.fc = nn.Identity()
    state = torch.load(art_weights, weights_only=True)
    network.load_state_dict({key: value.float() for key, value in state.items() if key[:2] in ("Co", "Mi")})
    frames = torch.rand(1, 2, 3, 90, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = ArtInception(art_weights)(frames)
    assert found.shape == (2, 2048)
    with torch.no_grad():
        expected = network((frames[0] + 1) / 2)
    size = expected.abs().max()  # small in a random network
    torch.testing.assert_close(found / size, expected / size, atol=1e-4, rtol=1e-4)


def test_without_weights_there_is_a_reason_and_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("a download was started"))
    reasons = {
        "not here; download https": inception,
        "was not given; pass the path": art_inception,
        "no_such.pth: expected a file of weights, got no file": lambda: art_inception("no_such.pth"),
    }
    if frechet.find_spec("torch_fidelity"):
        reasons["no_such_either.pth: expected a file"] = lambda: inception("no_such_either.pth")
        torch.save({"a": torch.ones(1)}, tmp_path / "other.pth")
        reasons["got the weights of something else; download it"] = lambda: inception(tmp_path / "other.pth")
    torch.save({"a": torch.ones(1)}, tmp_path / "art.pth")
    reasons["got those of something else; pass another file"] = lambda: art_inception(tmp_path / "art.pth")
    check(reasons)
    monkeypatch.setattr(frechet, "find_spec", lambda _: None)
    check({"torch-fidelity is not installed": inception})


def check(reasons: dict[str, Callable[[], object]]) -> None:
    for words, build in reasons.items():
        reason = build()
        assert isinstance(reason, str)
        assert words in reason
        assert "\n" not in reason


def test_the_network_of_fid_sees_8_bits(tmp_path: Path) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason="torch-fidelity is not installed")
    path = tmp_path / "inception.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    torch.save(network.state_dict(), path)
    frames = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = inception(path)
    assert not isinstance(found, str)
    levels = ((frames.double().numpy() + 1) * 127.5).round().astype(np.uint8)
    (expected,) = network(torch.from_numpy(levels))
    size = expected.abs().max()  # small in a random network
    torch.testing.assert_close(found(frames) / size, expected / size, atol=1e-4, rtol=1e-4)
