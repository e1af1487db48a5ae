"""Tiles: the same numbers as the whole frame, from no more of it than the network's reach."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fit import tiles
from fit.tiles import load_tiled, spans, tiled
from lightning_modules.generators.base import Generator
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator

SIZES = [(64, 64), (104, 96), (128, 136), (40, 152)]


@pytest.fixture
def network() -> RealtimeGenerator:
    """Small, far from its start, so that every layer passes on what it sees, and held back by the colours of a style."""
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    generator.observe(torch.tensor([-0.3, 0.05, -0.05, 0.01, 0.0, 0.01, 0.02, 0.02, 0.01]))
    return generator


@pytest.mark.parametrize("length", [4, 8, 12, 20, 100])
@pytest.mark.parametrize("side", [4, 8, 16, 200])
def test_spans_cover_each_pixel_once_and_see_their_borders(length: int, side: int) -> None:
    covered: list[int] = []
    for span in spans(length, side, 12):
        pixels = list(range(length))
        assert pixels[span.seen][span.within] == pixels[span.kept]
        assert span.seen.start == max(0, span.kept.start - 12)
        assert span.seen.stop == min(length, span.kept.stop + 12)
        covered += pixels[span.kept]
    assert covered == list(range(length))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile", [1, 32, 50])
@torch.inference_mode()
def test_tiled_is_untiled(network: RealtimeGenerator, size: tuple[int, int], tile: int) -> None:
    frames = torch.rand(2, 3, *size) * 2 - 1
    seen: list[list[int]] = []
    network.down.register_forward_pre_hook(lambda _, blocks: seen.append([4 * side for side in blocks[0].shape[-2:]]))
    whole = network(frames)
    seen.clear()
    painted = tiled(network, tile, network.reach)(frames)
    assert (painted - whole).abs().max() <= 1e-5
    most = -(-tile // 8) * 8 + 2 * -(-network.reach // 8) * 8
    assert len(seen) > 1
    assert all(side <= most for shape in seen for side in shape)


@torch.inference_mode()
def test_a_border_a_block_too_thin_shows(network: RealtimeGenerator) -> None:
    network = network.double()  # where nothing is rounded off, what little reaches so far shows
    frames = torch.rand(1, 3, 128, 128).double() * 2 - 1  # rough, for slopes matter to strokes alone
    whole = network(frames)
    assert (tiled(network, 32, network.reach)(frames) - whole).abs().max() < 1e-12
    assert (tiled(network, 32, network.reach - 16)(frames) - whole).abs().max() > 1e-6


def test_a_checkpoints_network_paints_in_tiles_at_any_size(network: RealtimeGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "load_whole", lambda *_: method_with(network))
    frames = torch.rand(1, 3, 61, 90) * 2 - 1
    with torch.inference_mode():
        whole = load_tiled(Path("x.ckpt"), "cpu", 1000)(frames)
        assert (load_tiled(Path("x.ckpt"), "cpu", 20)(frames) - whole).abs().max() <= 1e-5
    assert whole.shape == frames.shape


def test_networks_with_norms_over_the_frame_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "load_whole", lambda *_: method_with(ResNetGenerator(4, 1)))
    with pytest.raises(ValueError, match=r"--tile: ResNetGenerator cannot paint in tiles.*normalises.*leave --tile out"):
        load_tiled(Path("x.ckpt"), "cpu", 64)


def method_with(network: Generator) -> SimpleNamespace:
    return SimpleNamespace(stylizer=lambda: network)
