"""Exported networks as files, on a graph made by hand."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fit.onnx_file import Description, OnnxError, digest, is_onnx, outside, package, read_model, write_model

onnx = pytest.importorskip("onnx")

SIDES = ["batch", 3, "height", "width"]
ABOUT = Description(
    size_multiple=4,
    min_size=8,
    precision="float32",
    parameters=1,
    generator={"class_path": "a.B", "init_args": {"channels": 48}},
    method="c.D",
    run="20300101-120000-mine",
    step=250,
    style={"folder": None, "palettes": ["night"], "seed": 3},
    version="0.1.0",
    checkpoint_sha256="ab" * 32,
)


def scaling(weights: Any = (-1,), output: str = "painted", operator: str = "Mul") -> Any:
    """frames times weights."""
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node(operator, ["frames", "scale"], [output], name="scaled", doc_string="/home/me/network.py")],
        "network",
        [helper.make_tensor_value_info("frames", onnx.TensorProto.FLOAT, SIDES)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, SIDES)],
        [onnx.numpy_helper.from_array(np.float32(weights), "scale")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Path]:
    def write(**options: Any) -> Path:
        write_model(scaling(**options), ABOUT, tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    return write


def test_what_is_said_of_a_network_comes_back(exported: Callable[..., Path]) -> None:
    model, about = read_model(exported())
    assert about == ABOUT
    assert [node.op_type for node in model.graph.node] == ["Mul"]


def test_the_axes_have_names_and_nothing_tells_of_sources(exported: Callable[..., Path]) -> None:
    model, _ = read_model(path := exported())
    for side in (*model.graph.input, *model.graph.output):
        assert [axis.dim_param or axis.dim_value for axis in side.type.tensor_type.shape.dim] == SIDES
    assert b"/home/me" not in path.read_bytes()


def test_a_name_says_what_a_file_is() -> None:
    assert is_onnx(Path("a/b.onnx"))
    assert is_onnx(Path("B.ONNX"))
    assert not is_onnx(Path("onnx/step-000010.ckpt"))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_in_one_line(kept: float, exported: Callable[..., Path]) -> None:
    path = exported(weights=np.ones((1, 3, 1, 1), np.float32))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(OnnxError, match=r"net\.onnx: expected .*, got .*; export") as error:
        read_model(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a network\n", b"PK\x03\x04" + bytes(200)])
def test_what_is_no_onnx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(OnnxError, match=r"net\.onnx: expected an? "):
        read_model(tmp_path / "net.onnx")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match=r"absent\.onnx: expected an exported network, got no such file"):
        read_model(tmp_path / "absent.onnx")


def test_an_onnx_file_of_something_else_is_refused(tmp_path: Path) -> None:
    onnx.save(scaling(), tmp_path / "theirs.onnx")
    with pytest.raises(OnnxError, match="got one of something else"):
        read_model(tmp_path / "theirs.onnx")


def test_other_inputs_or_outputs_are_something_else(exported: Callable[..., Path]) -> None:
    with pytest.raises(OnnxError, match="got one of something else"):
        read_model(exported(output="labels"))


def test_a_flipped_weight_is_found(exported: Callable[..., Path]) -> None:
    path = exported(weights=np.float32([0.123456]))
    content, weight = path.read_bytes(), np.float32([0.123456]).tobytes()
    assert content.count(weight) == 1
    path.write_bytes(content.replace(weight, np.float32([0.123457]).tobytes()))
    with pytest.raises(OnnxError, match=r"damaged one \(SHA-256\)"):
        read_model(path)


def test_a_damaged_description_is_found(exported: Callable[..., Path]) -> None:
    model, _ = read_model(path := exported())
    (entry,) = [entry for entry in model.metadata_props if entry.key == "fit.size_multiple"]
    entry.value = "8"
    onnx.save(model, path)
    with pytest.raises(OnnxError, match=r"damaged one \(SHA-256\)"):
        read_model(path)


def point_elsewhere(tensor: Any) -> None:
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../../secret.bin")


def test_weights_in_other_files_are_refused(exported: Callable[..., Path]) -> None:
    model, _ = read_model(path := exported())
    point_elsewhere(model.graph.initializer[0])
    onnx.save(model, path)
    with pytest.raises(OnnxError, match="points to other files"):
        read_model(path)


def test_other_files_are_found_wherever_they_are_named() -> None:
    helper = onnx.helper
    constant = helper.make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(np.float32([1]), "c"))
    branch = helper.make_graph([constant], "branch", [], [helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [1])])
    inner = helper.make_node("If", ["which"], ["d"], then_branch=branch, else_branch=branch)
    for nodes, function in (([constant], False), ([inner], False), ([constant], True)):
        model = scaling()
        assert not outside(model)
        if function:
            model.functions.append(helper.make_function("own", "f", [], ["c"], nodes, [helper.make_opsetid("", 20)]))
            node = model.functions[0].node[0]
        else:
            model.graph.node.extend(nodes)
            node = model.graph.node[-1]
        graph_or_tensor = node.attribute[0]
        assert not outside(model)
        point_elsewhere(graph_or_tensor.g.node[0].attribute[0].t if graph_or_tensor.g.node else graph_or_tensor.t)
        assert outside(model)


def test_the_digest_is_of_operators_weights_and_what_is_said() -> None:
    assert digest(scaling().graph, {"a": "1", "b": "2"}) == digest(scaling().graph, {"b": "2", "a": "1"})
    graphs = [scaling(**options).graph for options in ({}, {"operator": "Add"}, {"weights": (2,)})]
    assert len({digest(graph, said) for graph in graphs for said in ({}, {"a": "1"}, {"a": "2"})}) == 9


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxError, match=r"onnxruntime: expected .* pip install 'fit-video-style\[onnx\]'"):
        package("onnxruntime")
