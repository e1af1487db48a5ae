"""Exported networks as files: ONNX, with a description of the network in the metadata.

A file is data alone: its weights lie within, it names no other file, and operators are those that ONNX Runtime knows itself.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

FRAMES, PAINTED = "frames", "painted"  # input and output; what a network remembers would come beside them
PREFIX, DIGEST = "fit.", "fit.sha256"
Precision = Literal["float32", "float16", "int8"]


class OnnxError(ValueError):
    """A file that is no usable exported network, or a network that cannot be exported. The message is one line."""


@dataclass(frozen=True)
class Description:
    """What is said of a network in its file, every entry as JSON under ``fit.<name>``.

    Args:
        size_multiple: what height and width must be multiples of.
        min_size: the smallest height and width.
        range: of the values that go in and come out, which are float32 whatever the precision.
        precision: what the network computes in.
        parameters: that were learned.
        generator: ``class_path`` and ``init_args`` of the network.
        method: class path of what trained it.
        run: name of the training run; None where the checkpoint lay in none.
        step: of the generators, at which it was saved.
        style: what it was trained on, see ``fit.evaluation.clips.Look``; None where that is not known.
        version: of this package.
        checkpoint_sha256: of the checkpoint.
    """

    size_multiple: int
    min_size: int
    precision: Precision
    parameters: int
    generator: dict[str, Any]
    method: str
    run: str | None
    step: int
    style: dict[str, Any] | None
    version: str
    checkpoint_sha256: str
    range: tuple[float, float] = (-1.0, 1.0)


def is_onnx(path: Path) -> bool:
    """Whether a name means an exported network, and not a checkpoint."""
    return path.suffix.lower() == ".onnx"


def package(name: str) -> ModuleType:
    """A package of the ``onnx`` extra, or one of its modules, which are imported only where they are needed.

    Raises:
        OnnxError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OnnxError(
            f"{name}: expected this package for .onnx files, got none ({error}); pip install 'fit-video-style[onnx]'"
        ) from error


def write_model(model: "ModelProto", description: Description, path: Path) -> None:
    """Write a network with its description, and with nothing else that the exporter noted (such as paths of sources).

    Raises:
        OSError: of the file system.
    """
    tidy(model)
    entries = {f"{PREFIX}{name}": json.dumps(value) for name, value in asdict(description).items()}
    package("onnx.helper").set_model_props(model, entries | {DIGEST: digest(model.graph, entries)})
    path.write_bytes(model.SerializeToString())


def tidy(model: "ModelProto") -> None:
    """Take out notes on nodes and sizes inferred for the example; name the axes of the input and the output."""
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    noted: list[Any] = [*graph.node, *graph.initializer, *graph.input, *graph.output]
    for item in noted:
        del item.metadata_props[:]
        item.doc_string = ""
    for value in (*graph.input, *graph.output):
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[axis].dim_param = name


def read_model(path: Path) -> "tuple[ModelProto, Description]":
    """Read and check a file that ``write_model`` wrote.

    Raises:
        OnnxError: no such file, damaged, of something else, or a package is missing.
    """
    if not path.is_file():
        raise OnnxError(f"{path}: expected an exported network, got no such file; python -m fit.export makes one")
    onnx = package("onnx")
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
        foreign = outside(model)
        if not foreign:
            onnx.checker.check_model(model)
    except Exception as error:  # the parser and the checker raise several kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OnnxError(
            f"{path}: expected an ONNX file, got a truncated, damaged or foreign one ({reason[:120]}); export it again"
        ) from error
    if foreign:
        raise OnnxError(f"{path}: expected a file with all its weights, got one that points to other files; export it again")
    return model, described(model, path)


def described(model: "ModelProto", path: Path) -> Description:
    """What a file says of its network.

    Raises:
        OnnxError: nothing, something else, or of another graph.
    """
    said = {entry.key: entry.value for entry in model.metadata_props}
    names = [entry.name for entry in fields(Description)]
    sides = [value.name for value in (*model.graph.input, *model.graph.output)]
    if DIGEST not in said or any(f"{PREFIX}{name}" not in said for name in names) or sides != [FRAMES, PAINTED]:
        raise OnnxError(
            f"{path}: expected an ONNX file of python -m fit.export, got one of something else; export a checkpoint"
        )
    entries = {f"{PREFIX}{name}": said[f"{PREFIX}{name}"] for name in names}
    if said[DIGEST] != digest(model.graph, entries):
        raise OnnxError(f"{path}: expected a network as it was exported, got a damaged one (SHA-256); export it again")
    values = {name: json.loads(said[f"{PREFIX}{name}"]) for name in names}
    return Description(**values | {"range": tuple(values["range"])})


def digest(graph: "GraphProto", entries: Mapping[str, str]) -> str:
    """SHA-256 of operators and weights, and of what is said of them."""
    made = hashlib.sha256(graph.SerializeToString(deterministic=True))
    made.update(json.dumps(sorted(entries.items())).encode())
    return made.hexdigest()


def outside(model: "ModelProto") -> bool:
    """Whether any tensor lies in another file."""
    external = package("onnx").TensorProto.EXTERNAL
    functions = [node for function in model.functions for node in function.node]
    return any(tensor.data_location == external for tensor in (*tensors(model.graph), *of_nodes(functions)))


def tensors(graph: "GraphProto") -> "Iterator[TensorProto]":
    """Every tensor a graph holds, those of graphs within its operators included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from of_nodes(graph.node)


def of_nodes(nodes: "Any") -> "Iterator[TensorProto]":
    """The tensors among the attributes of operators."""
    node: NodeProto
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from tensors(inner)
