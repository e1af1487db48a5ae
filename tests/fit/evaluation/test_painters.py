import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from fit.evaluation.painters import Painter, controls, distinct, framewise, from_checkpoint, networks, run_of
from fit.onnx_file import OnnxError
from lightning_modules.checkpoint_file import CheckpointError

FRAMES = torch.rand(2, 3, 37, 45, generator=torch.Generator().manual_seed(0)) * 2 - 1


def by_name(styles: list[torch.Tensor]) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    return {painter.name: painter.paint for painter in controls(styles)}


def test_the_input_is_itself() -> None:
    assert torch.equal(by_name([FRAMES])["input"](FRAMES), FRAMES)


def test_the_mean_colour_is_that_of_all_pictures_of_the_style() -> None:
    styles = [torch.full((1, 3, 8, 8), 0.2), torch.full((1, 3, 4, 4), -0.1)]
    painted = by_name(styles)["mean colour"](FRAMES / 2)
    torch.testing.assert_close(painted.mean((0, 2, 3)), torch.full((3,), 0.05), rtol=0, atol=1e-5)
    # One shift for the whole clip: frame by frame it would flicker.
    shift = painted - FRAMES / 2
    assert float((shift - shift.mean((0, 2, 3), keepdim=True)).abs().max()) < 1e-5


def test_the_blur_is_the_mean_of_its_box() -> None:
    blurred = by_name([FRAMES])["blur"](FRAMES)
    assert blurred.shape == FRAMES.shape
    torch.testing.assert_close(blurred[0, :, 10, 20], FRAMES[0, :, 8:13, 18:23].mean((1, 2)))
    assert torch.allclose(by_name([FRAMES])["blur"](torch.full((1, 3, 8, 8), 0.5)), torch.tensor(0.5))


def test_a_checkpoint_paints_and_goes_back(run: Path) -> None:
    painter = from_checkpoint(run / "checkpoints" / "last.ckpt", "cpu")
    assert (painter.name, painter.kind, painter.facts["step"]) == (run.name, "network", 2)
    assert painter.network is not None
    assert painter.back is not None
    with torch.no_grad():
        painted = painter.paint(FRAMES)
        assert painted.shape == painter.back(painted).shape == FRAMES.shape
    assert not torch.equal(painter.back(painted), painted)


def test_a_run_folder_stands_for_its_newest_checkpoint(run: Path) -> None:
    assert from_checkpoint(run, "cpu").facts["checkpoint"] == str(run / "checkpoints" / "step-000002.ckpt")


def test_checkpoints_of_one_run_have_names_that_differ(run: Path) -> None:
    made = networks([str(run / "checkpoints" / f"step-00000{n}.ckpt") for n in (1, 2)], "cpu")
    assert [painter.name for painter in made] == [f"{run.name} step 1", f"{run.name} step 2"]


def test_no_two_rows_have_one_name() -> None:
    made = distinct([Painter(name, "network", torch.neg) for name in ("blur", "a", "blur", "blur", "blur (2)")])
    assert [painter.name for painter in made] == ["blur", "a", "blur (2)", "blur (3)", "blur (2) (2)"]


def test_a_network_of_others_goes_to_the_device_as_after_training(tmp_path: Path) -> None:
    (tmp_path / "trained.py").write_text("from torch import nn\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 3, 1))\n")
    (painter,) = networks(["trained:make"], "meta")
    assert painter.network is not None
    assert not painter.network.training
    assert {parameter.device.type for parameter in painter.network.parameters()} == {"meta"}


def test_knows_the_run_of_a_checkpoint(run: Path, tmp_path: Path) -> None:
    assert run_of(run / "checkpoints" / "last.ckpt") == run
    assert run_of(tmp_path / "last.ckpt") is None


def test_the_newest_framewise_run_is_a_control(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert framewise() is None
    monkeypatch.chdir(run.parents[1])
    found = framewise()
    assert found is not None
    assert found.absolute() == run


def test_a_network_of_others_comes_from_python(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Conv2d(3, 3, 1)\nnothing = lambda: 7\n"
    )
    for name in ("theirs:make", "theirs.py:make", f"{tmp_path / 'theirs.py'}:make"):
        (painter,) = networks([name], "cpu")
        assert painter.name == "theirs:make"
        assert isinstance(painter.network, nn.Conv2d)
        assert painter.paint(FRAMES).shape == FRAMES.shape
    for name, message in (
        ("theirs:absent", "absent"),
        ("absent:make", "absent"),
        ("no/absent.py:make", "absent"),
        ("theirs:nothing", "returns int"),
    ):
        with pytest.raises(ValueError, match=message):
            networks([name], "cpu")


def test_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.ckpt"):
        networks([str(tmp_path / "absent.ckpt")], "cpu")


def test_an_exported_network_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OnnxError, match=r"absent\.onnx: expected an exported network, got no such file"):
        networks([str(tmp_path / "absent.onnx")], "cpu")
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OnnxError, match="pip install"):
        networks([str(tmp_path / "net.onnx")], "cpu")
