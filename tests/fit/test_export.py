"""Export of checkpoints, and what the files are good for."""

import errno
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.frames import open_video
from fit import export as command
from fit import stylize
from fit.evaluate import evaluate
from fit.export import export, main, renamed
from fit.onnx_check import difference, real_frames
from fit.onnx_file import OnnxError, read_model
from fit.stream import load_paint
from lightning_modules.checkpoint_file import write_checkpoint
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.generators.base import Generator
from lightning_modules.generators.resnet import ResNetGenerator

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CONFIG = "{seed_everything: 3, data: {class_path: datamodules.moving_scenes.MovingScenes, init_args: {palette: wheat}}}"
QUICK: Any = {"clips": 2, "frames": 2, "size": (40, 40), "speed": ((40, 56),), "extractor": "random", "lpips": "none"}


class Lying(Generator):
    """Paints another picture where it is exported than in torch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def paint(self, frames: Tensor) -> Tensor:
        return self.scale * (frames if torch.compiler.is_exporting() else frames.flip(1))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run, with weights as far from the start as after training."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    torch.manual_seed(0)
    method = CycleGAN(generator=lambda: ResNetGenerator(8, 1))
    with torch.no_grad():
        for parameter in method.stylizer().parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    method.generator_step = 12
    content: dict[str, Any] = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(content)
    path = folder / "checkpoints" / "step-000012.ckpt"
    write_checkpoint(content, path)
    (folder / "config.yaml").write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Path:
    """It exported, in a folder of its own."""
    path = checkpoint.parents[1] / "net.onnx"
    assert main([str(checkpoint), str(path)]) == 0
    return path


def test_paints_as_the_checkpoint_at_any_size_and_batch(checkpoint: Path, network: Path) -> None:
    batches = [real_frames(*size) for size in ((1, 64, 64), (1, 250, 333), (3, 96, 160), (2, 7, 50))]
    assert difference(load_paint(checkpoint), load_paint(network), batches).largest < 1e-3


@pytest.mark.prove
def test_paints_as_the_checkpoint_over_300_large_frames(checkpoint: Path, network: Path) -> None:
    batches = (real_frames(4, 720, 1280).roll(4 * shift, -1) for shift in range(75))
    found = difference(load_paint(checkpoint), load_paint(network), batches)
    assert found.frames == 300
    assert found.largest < 1e-3


def test_the_file_says_what_it_holds(checkpoint: Path, network: Path) -> None:
    _, about = read_model(network)
    assert (about.size_multiple, about.min_size, about.range, about.precision) == (4, 8, (-1, 1), "float32")
    assert about.style == {"folder": None, "palettes": ["wheat"], "seed": 3}
    assert (about.run, about.step, about.method) == ("mine", 12, "lightning_modules.cyclegan.CycleGAN")
    assert about.generator["class_path"] == "lightning_modules.generators.resnet.ResNetGenerator"
    assert about.generator["init_args"]["channels"] == 8
    assert about.checkpoint_sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert about.parameters == sum(parameter.numel() for parameter in ResNetGenerator(8, 1).parameters())
    root = str(Path(command.__file__).parents[1]).encode()
    assert root not in network.read_bytes()


def test_stylize_takes_it(
    clip: Callable[..., Path], checkpoint: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = clip(size=(50, 62))
    for name, path in (("a.mkv", checkpoint), ("b.mkv", network)):
        assert stylize.main([str(source), str(tmp_path / name), "--checkpoint", str(path), "--crf", "0"]) == 0
    with open_video(tmp_path / "a.mkv") as first, open_video(tmp_path / "b.mkv") as second:
        pairs = list(zip(first, second, strict=True))
    assert len(pairs) == 10
    assert max(int(np.abs(a.rgb.astype(int) - b.rgb).max()) for a, b in pairs) <= 4  # rounding
    capsys.readouterr()
    network_of_others = tmp_path / "theirs.onnx"
    network_of_others.write_bytes(b"no network")
    with pytest.raises(SystemExit) as left:
        stylize.main([str(source), str(tmp_path / "c.mkv"), "--checkpoint", str(network_of_others)])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "theirs.onnx: expected an ONNX file" in line
    assert not (tmp_path / "c.mkv").exists()


def test_evaluate_judges_it_as_the_checkpoint(checkpoint: Path, network: Path, tmp_path: Path) -> None:
    card = evaluate([checkpoint, network], tmp_path / "card", **QUICK)
    torch_row, onnx_row = card.rows[-2:]
    assert (torch_row.name, onnx_row.name) == ("mine", "mine (float32 ONNX)")
    for key in ("style", "warping_error", "ssim"):
        assert onnx_row.values[key].value == pytest.approx(torch_row.values[key].value, rel=1e-3)
    assert "cycle_psnr" not in onnx_row.values
    assert onnx_row.facts["parameters"] == torch_row.facts["parameters"]
    assert onnx_row.facts["step"] == 12
    assert str(onnx_row.facts["computed by"]).startswith("ONNX Runtime")
    assert "frames/s at 40x56" in onnx_row.facts
    assert not any("multiply-adds" in name or "MiB" in name for name in onnx_row.facts)  # torch cannot see them
    assert "wheat" in str(card.data["style"])
    assert not any("another style" in note for note in card.notes)


def test_alone_it_is_judged_by_the_style_it_was_trained_on(network: Path, tmp_path: Path) -> None:
    card = evaluate([network], tmp_path / "card", **{**QUICK, "speed": ()})
    assert "wheat" in str(card.data["style"])


def test_the_command_says_how_far_it_is(
    network: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "to_onnx", lambda *_: read_model(network)[0])
    assert main([str(checkpoint), str(tmp_path / "net.onnx")]) == 0
    assert "MiB, largest difference " in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx"}


def test_int8_is_near_and_small_and_takes_any_size(
    network: Path, checkpoint: Path, styles: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "to_onnx", lambda *_: read_model(network)[0])
    found = export(checkpoint, tmp_path / "int8.onnx", "int8", calibrate=styles)
    assert 35 <= found.psnr < 80
    assert read_model(tmp_path / "int8.onnx")[1].precision == "int8"
    batches = [real_frames(*size) for size in ((2, 50, 70), (1, 128, 64))]
    assert 30 < difference(load_paint(checkpoint), load_paint(tmp_path / "int8.onnx"), batches).psnr < 80


def test_a_network_that_paints_something_else_is_refused_and_leaves_what_was_there(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.onnx").write_bytes(b"older")
    method = SimpleNamespace(stylizer=Lying, generator_step=1, describe=lambda: {"class_path": "a.B"})
    monkeypatch.setattr(command, "load_whole", lambda path: method)
    with pytest.raises(SystemExit) as left:
        main([str(checkpoint), str(tmp_path / "net.onnx")])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected the float32 network to paint as in torch (at most 0.001), got largest difference" in line
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    assert (tmp_path / "net.onnx").read_bytes() == b"older"


def test_an_interruption_leaves_nothing(
    network: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "to_onnx", lambda *_: read_model(network)[0])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "difference", interrupted)
    assert main([str(checkpoint), str(tmp_path / "net.onnx")]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_with_the_file(
    network: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "to_onnx", lambda *_: read_model(network)[0])

    def full(model: object, about: object, path: Path) -> None:
        path.write_text("half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command, "write_model", full)
    with pytest.raises(SystemExit):
        main([str(checkpoint), str(tmp_path / "net.onnx")])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'net.onnx'}: No space left on device while the network was being written" in line
    assert not list(tmp_path.iterdir())


def test_a_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    with renamed(tmp_path / "a") as temporary:
        temporary.write_text("new")
        assert [path.name for path in tmp_path.iterdir()] == ["a.part"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["x.ckpt", "out.pt"], "OUT must end in .onnx, got out.pt"),
        (["x.ckpt", "absent/out.onnx"], "expected a folder for OUT, got none at "),
        (["x.ckpt", "."], "OUT must be a file, . is a folder"),
        (["x.ckpt", "o.onnx", "--half", "--quantize", "int8"], "--quantize and --half do not go together"),
        (["x.ckpt", "o.onnx", "--calibrate", "here"], "--calibrate has no meaning without --quantize int8"),
        (["x.ckpt", "o.onnx", "--quantize", "int4"], "int4"),
        (["x.ckpt", "o.onnx", "--halves"], "there is no option --halves; did you mean --half?"),
        (["x.ckpt", "o.onnx"], "x.ckpt: expected a checkpoint, got no such file"),
    ],
)
def test_mistakes_are_one_line(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert not list(Path().iterdir())


def test_missing_packages_are_told_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setattr(command, "load_whole", lambda path: pytest.fail("a checkpoint was loaded"))
    with pytest.raises(OnnxError, match=r"onnxscript: expected .* pip install 'fit-video-style\[onnx\]'"):
        export(tmp_path / "x.ckpt", tmp_path / "net.onnx")
