"""``compile``: which networks, when, and that nothing else changes."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.optim import SGD

from datamodules.batch import ClipBatch
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.loading import load_method

Build = Callable[..., CycleGAN]
Batches = Callable[..., list[ClipBatch]]
Train = Callable[..., Trainer]
CRITICS = {"style_critic.network", "content_critic.network", "style_clip_critic.network", "content_clip_critic.network"}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """In place of compiling: what would have been."""
    found: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: found.append(self))
    monkeypatch.setattr(torch, "compile", lambda function: function)
    return found


def names(method: CycleGAN, networks: list[nn.Module]) -> set[str]:
    return {name for name, module in method.named_modules() for network in networks if module is network}


@pytest.mark.parametrize(
    ("which", "expected"),
    [("none", set()), ("generators", {"to_style", "to_content"}), ("all", {"to_style", "to_content"} | CRITICS)],
)
def test_training_compiles_what_it_is_told_to(
    which: str, expected: set[str], cyclegan: Build, batches: Batches, train: Train, compiled: list[nn.Module]
) -> None:
    method = cyclegan(compile=which)
    assert compiled == []
    train(method, batches(1))
    assert names(method, compiled) == expected  # the averages are not among them


def test_loading_and_painting_compile_nothing(
    cyclegan: Build, batches: Batches, train: Train, compiled: list[nn.Module], tmp_path: Path
) -> None:
    train(cyclegan(compile="all"), batches(1)).save_checkpoint(tmp_path / "a.ckpt")
    compiled.clear()
    loaded = load_method(tmp_path / "a.ckpt")
    loaded.stylize(batches(1)[0].content.frames)
    assert loaded.describe()["init_args"]["compile"] == "all"
    assert compiled == []


def test_compiled_critics_have_no_penalty(cyclegan: Build) -> None:
    with pytest.raises(ValueError, match="CycleGAN: ") as caught:
        cyclegan(compile="all", penalty="gradient", lr=0.0)
    for problem in ("compile=all goes with penalty=none, got gradient", "double backward", "lr and critic_lr must be > 0"):
        assert str(caught.value).count(problem) == 1
    cyclegan(compile="generators", penalty="gradient")


@pytest.mark.slow
@pytest.mark.timeout(1200)  # compiling takes a core for half a minute
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler")
@pytest.mark.parametrize(
    ("which", "options"),
    [("all", {}), ("generators", {"generator": partial(ResNetGenerator, 4, 1, checkpointing=True), "penalty": "r1"})],
    ids=["all", "checkpointing"],
)
def test_compiled_training_goes_the_same_way(
    which: str, options: dict[str, Any], cyclegan: Build, batches: Batches, train: Train, tmp_path: Path
) -> None:
    few_sizes: dict[str, Any] = {"temporal_critic": None, "identity_weight": 0.0, "lr": 0.01, "critic_lr": 0.01}
    data = batches(2, frames=1)

    def trained(compile: str) -> dict[str, Tensor]:
        method = cyclegan(compile=compile, **few_sizes | options)
        # Plain steps down the gradient: Adam's first ones would turn the rounding of small gradients into full steps.
        method.configure_optimizers = lambda: [SGD(p, lr) for p, lr in method.parameters_of().values()]  # type: ignore[method-assign]
        train(method, data).save_checkpoint(tmp_path / f"{compile}.ckpt")
        return {name: value for name, value in method.state_dict().items() if isinstance(value, Tensor)}

    start, eager, compiled = cyclegan(**few_sizes | options).state_dict(), trained("none"), trained(which)
    assert eager.keys() == compiled.keys()
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, atol=2e-5, rtol=1e-4, msg=name)
    assert max(float((value - start[name]).abs().max()) for name, value in eager.items()) > 1e-3
    loaded, clip = load_method(tmp_path / f"{which}.ckpt"), data[0].content.frames  # where nothing is compiled
    torch.testing.assert_close(loaded.stylize(clip), load_method(tmp_path / "none.ckpt").stylize(clip), atol=1e-4, rtol=1e-3)
