from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from fit.evaluation.clips import Look
from fit.evaluation.looks import look_of
from fit.evaluation.session import Session, perceptual, strangers
from lightning_modules.metrics.lpips import LPIPS

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
    assert kinds(lone, lone)[4:] == [("lone step 1", "network"), ("lone step 1 (2)", "network")]


def test_a_damaged_frame_wise_run_is_left_out_with_a_word(run: Path, tmp_path: Path) -> None:
    checkpoints = tmp_path / "runs" / "20300101-framewise" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for name in ("step-000001.ckpt", "last.ckpt"):
        (checkpoints / name).write_bytes(b"half")
    session = Session([str(run)], **QUICK)
    assert [painter.name for painter in session.painters()] == ["input", "mean colour", "blur", run.name]
    assert any(note.startswith("no frame-wise control: ") and "framewise" in note for note in session.notes())


def test_the_card_goes_into_the_folder_of_the_run(run: Path, tmp_path: Path) -> None:
    checkpoints = [str(run / "checkpoints" / f"step-00000{n}.ckpt") for n in (1, 2)]
    assert Session(checkpoints, **QUICK).folder() == run / "card"
    (tmp_path / "same.py").write_text("def paint():\n    return lambda frames: frames\n")
    folder = Session(["same:paint"], **QUICK).folder()
    assert folder.parent == Path("runs")
    assert folder.name.endswith("-card")
    beside = Session([str(run), "same:paint"], **QUICK).folder()  # the card of a run is of nothing else
    assert beside.parent == Path("runs")


def test_networks_have_their_cost_and_controls_none(run: Path, tmp_path: Path) -> None:
    card = Session([str(run)], **QUICK).judge(tmp_path / "card")
    assert card.rows[-1].facts["parameters"] > 10_000
    assert "peak MiB at 40x56, beside weights and frame" in card.rows[-1].facts
    assert [row.facts for row in card.rows[:3]] == [{}, {}, {}]


def test_functions_of_others_are_timed_too(tmp_path: Path) -> None:
    (tmp_path / "mirror.py").write_text("def paint():\n    return lambda frames: frames.flip(-1)\n")
    (*_, row) = Session(["mirror.py:paint"], **QUICK).judge(tmp_path / "card").rows
    assert "frames/s at 40x56" in row.facts
    assert "parameters" not in row.facts


def test_a_reader_is_told_what_to_know(run: Path, tmp_path: Path) -> None:
    notes = " ".join(Session([str(run)], **QUICK).notes())
    assert "random features" in notes
    assert "LPIPS and tLP are left out" in notes
    assert "Only 2 clips" in notes
    assert "Only" not in " ".join(Session([str(run)], **{**QUICK, "clips": 8}).notes())


def test_a_reader_is_told_why_figures_are_missing(monkeypatch: pytest.MonkeyPatch, run: Path) -> None:
    monkeypatch.setattr("fit.evaluation.session.inception", lambda weights: "no FID and KID: not here")
    notes = Session([str(run)], **QUICK).notes()
    assert "no FID and KID: not here" in notes
    assert any(note.startswith("no ArtFID: ") for note in notes)


def test_art_fid_needs_the_perceptual_distance_it_is_defined_with(
    run: Path, monkeypatch: pytest.MonkeyPatch, lpips: LPIPS
) -> None:
    monkeypatch.setattr("fit.evaluation.session.art_inception", lambda weights: torch.nn.Identity())
    monkeypatch.setattr("fit.evaluation.session.perceptual", lambda kind, weights: lpips)
    with pytest.raises(ValueError, match=r"expected LPIPS \(alex\) for ArtFID, got .*squeeze.*; give --lpips alex"):
        Session([str(run)], **QUICK, art_inception_weights="art.pth")


def test_a_reader_is_told_who_was_trained_on_another_style(run: Path, tmp_path: Path) -> None:
    painters = Session([str(run)], **QUICK).painters()
    assert strangers(painters, look_of(run)) == []
    expected = f"{run.name} was trained on another style: own paintings (night; seed 3)"
    (line,) = strangers(painters, Look(tmp_path))
    assert line.startswith(expected)


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
