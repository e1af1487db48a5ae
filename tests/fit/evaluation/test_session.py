from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from fit.evaluation.session import Session, perceptual

QUICK = {"clips": 2, "frames": 3, "size": (40, 56), "speed": [(40, 56)]}


def test_the_order_of_rows(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kinds(*names: Path) -> list[tuple[str, str]]:
        return [(painter.name, painter.kind) for painter in Session([str(name) for name in names], **QUICK).painters()]

    controls = [("input", "input"), ("mean colour", "control"), ("blur", "control")]
    assert kinds(run) == [*controls, (run.name, "network")]
    monkeypatch.chdir(run.parents[1])  # where it is the newest frame-wise run
    assert kinds(run) == [*controls, (run.name, "network")]
    elsewhere = Path("elsewhere")
    elsewhere.mkdir(exist_ok=True)
    lone = elsewhere / "lone.ckpt"
    lone.write_bytes((run / "checkpoints" / "step-000001.ckpt").read_bytes())
    assert kinds(lone) == [*controls, (run.name, "control"), ("lone", "network")]


def test_the_card_goes_into_the_folder_of_the_run(run: Path, tmp_path: Path) -> None:
    checkpoints = [str(run / "checkpoints" / f"step-00000{n}.ckpt") for n in (1, 2)]
    assert Session(checkpoints, **QUICK).folder() == run / "card"
    (tmp_path / "same.py").write_text("def paint():\n    return lambda frames: frames\n")
    folder = Session(["same:paint"], **QUICK).folder()
    assert folder.parent == Path("runs")
    assert folder.name.endswith("-card")


def test_networks_have_their_cost_and_controls_none(run: Path, tmp_path: Path) -> None:
    card = Session([str(run)], **QUICK).judge(tmp_path / "card")
    assert card.rows[-1].facts["parameters"] > 100_000
    assert "peak MiB at 40x56, beside weights and frame" in card.rows[-1].facts
    assert [row.facts for row in card.rows[:3]] == [{}, {}, {}]


def test_a_reader_is_told_what_to_know(run: Path, tmp_path: Path) -> None:
    notes = " ".join(Session([str(run)], **QUICK).notes())
    assert "random features" in notes
    assert "LPIPS and tLP are left out" in notes
    assert "Only 2 clips" in notes
    assert "Only" not in " ".join(Session([str(run)], **{**QUICK, "clips": 8}).notes())


def test_perceptual_distances_need_weights_or_are_left_out(tmp_path: Path) -> None:
    assert perceptual("none", None) is None
    torch.save(squeezenet1_1().features.state_dict(), tmp_path / "squeeze.pth")
    found = perceptual("squeeze", tmp_path / "squeeze.pth")
    assert found is not None
    assert "squeeze" in found.label


def test_auto_takes_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("fit.evaluation.session.in_cache", lambda url: asked.append(url))
    assert perceptual("auto", None) is None
    assert "alexnet" in asked[0]
