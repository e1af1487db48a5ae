"""``--compile``: the same pictures from translated networks, both of frames as they are stored and of RGB."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from datamodules.frames import open_video
from fit import planes, stream
from fit.stylize import main
from lightning_modules.checkpoint_file import write_checkpoint
from lightning_modules.generators.planes import PlanePainter
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.ops.compilation import compile_in_place
from lightning_modules.realtime import Realtime


def saved(folder: Path) -> Path:
    """A checkpoint of an untrained network for live video."""
    torch.manual_seed(0)
    method = Realtime(generator=lambda: RealtimeGenerator(24, 1, adaptive=True))
    method.stylizer().observe(torch.tensor([-0.3, 0.05, -0.05, 0.01, 0.0, 0.01, 0.02, 0.02, 0.01]))
    content = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(content)
    write_checkpoint(content, folder / "last.ckpt")
    return folder / "last.ckpt"


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the first time, torch prepares its headers
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler")
@pytest.mark.parametrize(("pixels", "stored"), [("yuv420p", True), ("yuv444p", False)])
def test_comes_out_the_same(
    clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixels: str, stored: bool
) -> None:
    checkpoint = saved(tmp_path)
    compiled: list[nn.Module] = []

    def noted(networks: list[nn.Module], device: torch.device) -> None:
        compiled.extend(networks)
        compile_in_place(networks, device)

    for module in (stream, planes):
        monkeypatch.setattr(module, "compile_in_place", noted)
    source = clip(size=(48, 64), pixels=pixels)
    for name, more in (("a.mp4", []), ("b.mp4", ["--compile"])):
        assert main([str(source), str(tmp_path / name), "--checkpoint", str(checkpoint), "--crf", "0", *more]) == 0
    assert {type(network) for network in compiled} == ({RealtimeGenerator, PlanePainter} if stored else {RealtimeGenerator})
    with open_video(tmp_path / "a.mp4") as first, open_video(tmp_path / "b.mp4") as second:
        differences = [np.abs(a.rgb.astype(int) - b.rgb).max() for a, b in zip(first, second, strict=True)]
    assert len(differences) == 10
    assert max(differences) <= 3  # rounding


def test_a_machine_that_cannot_is_told_in_one_line(
    clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", broken)
    checkpoint = saved(tmp_path)
    with pytest.raises(SystemExit) as left:
        main([str(clip()), str(tmp_path / "out.mp4"), "--checkpoint", str(checkpoint), "--compile"])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "No working C++ compiler found; install a C++ compiler" in line
    assert not (tmp_path / "out.mp4").exists()
