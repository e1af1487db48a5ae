"""Weights from files and from the net, and networks that stay as they are."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn
from torchvision.models import SqueezeNet1_1_Weights, WeightsEnum

from lightning_modules.ops.pretrained import Frozen, in_cache, read_weights

PUBLISHED = SqueezeNet1_1_Weights.IMAGENET1K_V1


class Network(Frozen):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.freeze()


def test_nothing_of_it_is_trained_or_saved_and_all_of_it_moves() -> None:
    network = Network()
    assert not list(network.parameters())
    assert not network.state_dict()
    assert all(value.dtype == torch.float64 for value in network.double().buffers() if value.is_floating_point())


def test_training_mode_around_it_changes_nothing() -> None:
    network = Network()
    frames = torch.randn(2, 3, 4, 4)
    before = network.layers(frames)
    nn.ModuleList([network]).train()
    assert torch.equal(network.layers(frames), before)
    assert torch.equal(network.layers(frames), before)


def test_half_precision_files_are_read_as_float32(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2).half(), "n": torch.tensor(3)}, tmp_path / "half.pth")
    state = read_weights(PUBLISHED, tmp_path / "half.pth")
    assert state["a"].dtype == torch.float32
    assert state["n"].dtype == torch.int64


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights", encoding="utf-8")
    torch.save({"a": torch.randn(9)}, tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:200])
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("absent.pth", "", "text.pth", "cut.pth", "list.pth"):
        with pytest.raises(ValueError, match=str(tmp_path / name)) as caught:
            read_weights(PUBLISHED, tmp_path / name)
        assert "\n" not in str(caught.value)


def test_no_connection_says_what_to_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", offline)
    with pytest.raises(ValueError, match=r"no route to host.*download https://\S+squeezenet1_1\S+pth and pass its path"):
        read_weights(PUBLISHED)


def test_in_cache_is_where_torch_hub_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not in_cache(PUBLISHED.url)
    cached = tmp_path / "hub" / "checkpoints" / Path(PUBLISHED.url).name
    cached.parent.mkdir(parents=True)
    torch.save({"a": torch.ones(1)}, cached)
    assert in_cache(PUBLISHED.url)
    assert torch.hub.load_state_dict_from_url(PUBLISHED.url) == {"a": torch.ones(1)}
