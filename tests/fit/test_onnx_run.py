"""Repainting by ONNX Runtime, on graphs made by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fit.onnx_file import Description, OnnxError, write_model
from fit.onnx_run import OnnxNetwork, providers

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

ABOUT = Description(4, 8, "float32", 1, {}, "c.D", None, 0, None, "0.1.0", "")


def written(path: Path, about: Description = ABOUT, domain: str = "", shape: tuple[Any, ...] = (1,)) -> Path:
    """A network that turns pictures into their negative."""
    helper, sides = onnx.helper, ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["frames", "scale"], ["painted"], domain=domain)],
        "network",
        [helper.make_tensor_value_info("frames", onnx.TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("painted", onnx.TensorProto.FLOAT, sides)],
        [onnx.numpy_helper.from_array(np.full(shape, -1, np.float32), "scale")],
    )
    imports = [helper.make_opsetid(name, 20) for name in {"", domain}]
    write_model(helper.make_model(graph, opset_imports=imports, ir_version=10), about, path)
    return path


@pytest.mark.parametrize("size", [(1, 3, 8, 8), (3, 3, 12, 20), (2, 3, 64, 8)])
def test_paints_what_the_graph_says(size: tuple[int, ...], tmp_path: Path) -> None:
    frames = torch.rand(size) * 2 - 1
    painted = OnnxNetwork(written(tmp_path / "net.onnx"))(frames)
    assert torch.equal(painted, -frames)
    assert painted.dtype == torch.float32


def test_frames_may_lie_in_memory_as_they_like(tmp_path: Path) -> None:
    frames = (torch.rand(1, 8, 12, 3).half() * 2 - 1).permute(0, 3, 1, 2)
    assert torch.equal(OnnxNetwork(written(tmp_path / "net.onnx"))(frames), -frames.float())


@pytest.mark.parametrize("size", [(10, 12), (12, 10), (4, 12)])
def test_a_wrong_size_is_told_in_one_line(size: tuple[int, int], tmp_path: Path) -> None:
    network = OnnxNetwork(written(tmp_path / "net.onnx"))
    with pytest.raises(OnnxError, match=rf"multiples of 4 and at least 8, got {size[0]}x{size[1]}"):
        network(torch.zeros(1, 3, *size))


def test_what_fails_in_onnx_runtime_is_told_in_one_line(tmp_path: Path) -> None:
    network = OnnxNetwork(written(tmp_path / "net.onnx", shape=(1, 1, 16, 16)))
    assert network(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    with pytest.raises(OnnxError, match="ONNX Runtime failed on 1 frames of 12x12: ") as error:
        network(torch.zeros(1, 3, 12, 12))
    assert "\n" not in str(error.value)


def test_operators_from_elsewhere_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OnnxError, match="expected a network that ONNX Runtime can run, got: "):
        OnnxNetwork(written(tmp_path / "net.onnx", domain="their.own"))
    assert capfd.readouterr() == ("", "")


def test_uses_as_many_threads_as_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    session = OnnxNetwork(written(tmp_path / "net.onnx")).session
    assert session.get_session_options().intra_op_num_threads == 3


def test_without_a_gpu_the_cpu_paints_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = OnnxNetwork(written(tmp_path / "net.onnx", replace(ABOUT, run="mine")), "cuda")
    if network.provider == "CPUExecutionProvider":
        assert "painting on the CPU" in capsys.readouterr().err
    assert torch.equal(network(torch.ones(1, 3, 8, 8)), -torch.ones(1, 3, 8, 8))
    assert network.runtime.startswith("ONNX Runtime ")


def test_the_fastest_provider_there_is_comes_first() -> None:
    cpu = "CPUExecutionProvider"
    every = [cpu, "CUDAExecutionProvider", "TensorrtExecutionProvider"]
    assert providers("cpu", every) == [cpu]
    assert providers("cuda", [cpu]) == [cpu]
    assert providers("cuda:1", every) == [
        ("TensorrtExecutionProvider", {"device_id": "1"}),
        ("CUDAExecutionProvider", {"device_id": "1"}),
        cpu,
    ]
    assert providers("cuda", every[:2]) == [("CUDAExecutionProvider", {"device_id": "0"}), cpu]


def test_it_computes_on_as_many_threads_as_it_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx")
    found = [OnnxNetwork(path, threads=threads).session.get_session_options().intra_op_num_threads for threads in (3, None)]
    assert found == [3, torch.get_num_threads()]
