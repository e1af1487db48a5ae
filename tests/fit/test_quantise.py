"""Quantisation after training, on a graph made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from fit.onnx_check import difference
from fit.onnx_file import Description, OnnxError, write_model
from fit.onnx_run import OnnxNetwork
from fit.quantise import SIZE, calibration_frames, quantised, wide_convolutions

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIDES = ["batch", 3, "height", "width"]


def convolutions(*widths: int) -> Any:
    """One 3x3 convolution after the other, with ReLUs between."""
    helper, draws = onnx.helper, np.random.default_rng(0)
    nodes, weights, last = [], [], "frames"
    for number, (before, after) in enumerate(zip((3, *widths), (*widths, 3), strict=True)):
        values = draws.normal(0, 1 / (3 * np.sqrt(before)), (after, before, 3, 3)).astype(np.float32)
        values *= draws.uniform(0.1, 1, (after, 1, 1, 1)).astype(np.float32)  # scales differ from channel to channel
        weights.append(onnx.numpy_helper.from_array(values, f"w{number}"))
        output = "painted" if number == len(widths) else f"x{number}"
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [output], f"conv{number}", pads=[1, 1, 1, 1]))
        if output != "painted":
            nodes.append(helper.make_node("Relu", [output], [f"y{number}"], f"relu{number}"))
        last = f"y{number}"
    sides = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, SIDES) for name in ("frames", "painted")]
    graph = helper.make_graph(nodes, "network", sides[:1], sides[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: Any, path: Path) -> OnnxNetwork:
    write_model(model, Description(1, 1, "int8", 1, {}, "", None, 0, None, "", ""), path)
    return OnnxNetwork(path)


def noise(seed: int, *size: int) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_wide_convolutions_are_chosen() -> None:
    assert wide_convolutions(convolutions(32, 40, 16, 32)) == ["conv1"]


def test_paints_nearly_the_same_with_8_bit_weights_at_any_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = convolutions(32, 32)
    whole = run(convolutions(32, 32), tmp_path / "float.onnx")
    made = quantised(model, [noise(seed, 1, 3, 16, 24) for seed in range(3)])
    assert not caplog.records
    types = {tensor.data_type for tensor in made.graph.initializer if tensor.name.startswith("w1")}
    assert onnx.TensorProto.INT8 in types
    kept = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert kept["w0"] == kept["w2"] == onnx.TensorProto.FLOAT
    (scales,) = [t for t in made.graph.initializer if t.name.startswith("w1") and list(t.dims) == [32] and "scale" in t.name]
    assert len(set(onnx.numpy_helper.to_array(scales).tolist())) == 32
    (weights,) = [t for t in made.graph.initializer if t.data_type == onnx.TensorProto.INT8 and t.dims[:2] == [32, 32]]
    assert 60 <= np.abs(onnx.numpy_helper.to_array(weights).astype(int)).max() <= 64  # 7 bits

    small = run(made, tmp_path / "int8.onnx")
    found = difference(whole, small, [noise(9, 2, 3, 16, 24), noise(8, 1, 3, 40, 8)])
    assert 35 < found.psnr < 70


def test_nothing_wide_is_told() -> None:
    with pytest.raises(OnnxError, match="expected convolutions of at least 32 channels, got none"):
        quantised(convolutions(16, 16), [])


def test_calibrates_on_photographs_in_motion_or_a_folder(styles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fit.quantise.CLIPS", 4)  # one more than there are pictures
    own, theirs = list(calibration_frames()), list(calibration_frames(styles))
    for frames in (own, theirs):
        assert len(frames) == 8
        assert {tuple(frame.shape) for frame in frames} == {(1, 3, *SIZE)}
        assert all(-1 <= float(frame.amin()) < float(frame.amax()) <= 1 for frame in frames)
        assert not torch.equal(frames[0], frames[1])
    assert not torch.equal(own[0], theirs[0])
    with pytest.raises(DataError, match="absent"):
        next(calibration_frames(tmp_path / "absent"))
