"""Compiling in place, and the refusal where nothing can be compiled."""

import os
import shutil
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules.ops.compilation import compile_in_place

CPU = torch.device("cpu")


def test_a_machine_that_cannot_compile_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found\n\nSet this and that for more")

    monkeypatch.setattr(torch, "compile", broken)
    network = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="got on cpu: No working C\\+\\+ compiler found; install a C\\+\\+ compiler") as caught:
        compile_in_place([network], CPU)
    assert str(caught.value).endswith("or do not compile")
    assert "\n" not in str(caught.value)
    assert network(torch.zeros(1, 2)).shape == (1, 2)  # left as it was


def test_on_a_cpu_networks_are_called_from_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(nn.Module, "compile", lambda _, **given: asked.append(given["options"]))
    for device in (CPU, torch.device("meta")):
        compile_in_place([nn.Linear(2, 2)], device)
    assert asked == [{"cpp_wrapper": True}, None]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the first time, torch prepares its headers
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler")
def test_compiled_networks_compute_the_same_under_the_same_names() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    x, keys = torch.rand(5, 3), list(network.state_dict())
    expected, ran = network(x), []
    compile_in_place([network], CPU)
    network[1].register_forward_hook(lambda *_: ran.append(torch.compiler.is_compiling()))
    torch.testing.assert_close(network(x), expected)
    assert ran == [True]
    assert list(network.state_dict()) == keys
