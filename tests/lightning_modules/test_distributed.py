"""Two devices, or gradients added up over two batches, train as one device with the whole batch does."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

SCRIPT = Path(__file__).with_name("distributed.py")
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}


def load(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runs: Any = load(SCRIPT)
CASES = [(case, dtype) for case in runs.CASES for dtype in TOLERANCE]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what two processes have learned in every case."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(SCRIPT)]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    ranks = [subprocess.Popen([*command, str(rank), str(port), str(folder)], env=environment) for rank in (0, 1)]
    assert [rank.wait(timeout=240) for rank in ranks] == [0, 0]
    return folder


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """Of each tensor, relative to its norm or to a thousandth of its network's, whichever is more."""
    assert ours.keys() == theirs.keys()
    sizes: dict[str, float] = {}
    for name, value in ours.items():
        if isinstance(value, Tensor):
            network = name.split(".")[0]
            sizes[network] = (sizes.get(network, 0.0) ** 2 + float(value.norm()) ** 2) ** 0.5
    return {
        name: float((value - theirs[name]).norm()) / max(float(value.norm()), 1e-3 * sizes[name.split(".")[0]])
        for name, value in ours.items()
        if isinstance(value, Tensor)
    }


def memories(state: dict[str, Any]) -> dict[tuple[str, int], list[Tensor]]:
    return {
        (name, slot): kept
        for name, value in state.items()
        if isinstance(value, dict) and "items" in value
        for slot, kept in value["items"].items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_two_devices_train_as_one(case: str, dtype: str, two_ranks: Path) -> None:
    one, trainer = runs.run(case, dtype)
    two = torch.load(two_ranks / f"{case}-{dtype}.ckpt", weights_only=True)["state_dict"]
    start = runs.method(case, dtype).state_dict()
    apart = differences(one.state_dict(), two)
    assert max(apart.values()) <= TOLERANCE[dtype], max(apart, key=lambda name: apart[name])
    moved = differences(start, two)
    for network in ("to_style", "to_content", "style_average", "style_critic", "content_clip_critic"):
        assert max(value for name, value in moved.items() if name.startswith(network)) > 1e-4, f"{network} has not learned"
    ours, theirs = memories(one.state_dict()), memories(two)
    # Four pools and, where palette, texture and random Gram count, recent pictures of both sides and their Gram matrices.
    assert len([kept for kept in ours.values() if kept]) == (8 if dtype == "float64" else 4) * runs.GLOBAL
    assert ours.keys() == theirs.keys(), "of all slots, whichever device had them"
    for place, kept in ours.items():
        for item, other in zip(kept, theirs[place], strict=True):
            assert float((item - other).norm() / item.norm()) <= TOLERANCE[dtype]
    logged = [torch.load(two_ranks / f"{case}-{dtype}-{rank}.logged", weights_only=True) for rank in (0, 1)]
    assert logged[0] == logged[1], "logged numbers are means over devices"
    if "accumulate" not in runs.CASES[case][1]:  # of the last part there
        for name, value in trainer.callback_metrics.items():
            assert logged[0][name] == pytest.approx(float(value), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("case", list(runs.CASES))
def test_added_up_batches_train_as_one(case: str) -> None:
    one, _ = runs.run(case, "float64")
    parts, _ = runs.run(case, "float64", accumulate=2)
    assert one.generator_step == parts.generator_step
    apart = differences(one.state_dict(), parts.state_dict())
    assert max(apart.values()) <= 1e-9, max(apart, key=lambda name: apart[name])
