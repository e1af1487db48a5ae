"""Export of each generator, by torch.export."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fit.onnx_file import Description, OnnxError, write_model
from fit.onnx_graph import to_onnx
from fit.onnx_run import OnnxNetwork
from lightning_modules.generators.base import Generator
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.ops.detail import HIGHEST, LOWEST
from lightning_modules.ops.layout import channels_last

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


class FromData(Generator):
    """Looks at values to decide what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def paint(self, frames: Tensor) -> Tensor:
        return frames * self.scale if frames.mean() > 0 else -frames


def run(network: Generator, path: Path, half: bool = False) -> OnnxNetwork:
    about = Description(network.size_multiple, network.min_size, "float32", 1, {}, "", None, 0, None, "", "")
    write_model(to_onnx(network, half), about, path)
    return OnnxNetwork(path)


def spread(network: Generator) -> Generator:
    """Weights far from those at the start, as after training."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.03 * torch.randn_like(parameter)
    network.observe(torch.tensor([-0.3, 0.05, -0.05, 0.01, 0.0, 0.01, 0.02, 0.02, 0.01]))
    return network


@pytest.mark.parametrize(
    "make",
    [
        lambda: RealtimeGenerator(24, 1),
        lambda: RealtimeGenerator(24, 1, adaptive=True),
        lambda: ResNetGenerator(4, 1),
        lambda: ResNetGenerator(4, 1, "resize", checkpointing=True),
    ],
    ids=["realtime", "adaptive", "transposed", "resize"],
)
def test_paints_as_in_torch_at_any_size_and_batch(make: Callable[[], Generator], tmp_path: Path) -> None:
    network = spread(make())
    channels_last(network)  # as in training
    before = {name: value.clone() for name, value in network.state_dict().items()}
    exported = run(network, tmp_path / "net.onnx")
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    smallest = -(-network.min_size // network.size_multiple) * network.size_multiple
    for size in ((1, 64, 64), (3, 96, 160), (1, 248, 336), (2, smallest, smallest), (1, smallest, 3 * smallest)):
        for contrast in (1.0, 0.1):  # the latter is pale
            frames = (torch.rand(size[0], 3, *size[1:]) * 2 - 1) * contrast
            with torch.no_grad():
                torch.testing.assert_close(exported(frames), network.eval()(frames), atol=1e-4, rtol=0)


def test_large_frames_are_found_as_soft_as_in_torch(tmp_path: Path) -> None:
    network = spread(RealtimeGenerator(24, 1, adaptive=True)).eval()
    areas = torch.nn.functional.interpolate(torch.rand(1, 3, 45, 80), scale_factor=16, mode="bilinear")
    frames = 0.6 + 0.2 * areas + 0.004 * torch.randn(1, 3, 720, 1280)
    assert LOWEST < network.overview(frames)[0, 4] < HIGHEST
    exported = run(network, tmp_path / "net.onnx")
    with torch.no_grad():
        torch.testing.assert_close(exported(frames), network(frames), atol=1e-4, rtol=0)


def test_half_precision_is_inside_alone(tmp_path: Path) -> None:
    network = spread(ResNetGenerator(4, 1))
    exported = run(network, tmp_path / "net.onnx", half=True)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    frames = torch.rand(1, 3, 32, 40) * 2 - 1
    with torch.no_grad():
        expected = network(frames)
    painted = exported(frames)
    assert painted.dtype == torch.float32
    assert 0 < float((painted - expected).abs().max()) < 0.02
    weights = 2 * sum(parameter.numel() for parameter in network.parameters())
    assert (tmp_path / "net.onnx").stat().st_size < weights + 20_000


def test_what_cannot_be_exported_is_told_in_one_line() -> None:
    with pytest.raises(OnnxError, match=r"FromData: expected a network that torch\.export takes at any size, got: ") as error:
        to_onnx(FromData())
    assert "\n" not in str(error.value)
