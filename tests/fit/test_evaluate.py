import json
from pathlib import Path

import pytest
import torch

from fit.cli import main as fit
from fit.evaluate import evaluate, main
from fit.evaluation.card import read_card
from lightning_modules.losses.perceptual import FeatureExtractor
from lightning_modules.metrics.style_distance import gram_distance, mean_grams

QUICK = ["--clips=2", "--frames=3", "--size=40x56", "--speed=40x56"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that ended with a card."""
    options = ["--data.size=[32,32]", "--data.frames=3", "--data.workers=0", "--data.clips=4", "--samples.clips=1", "--card=2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        cli = fit([*options, "--model.steps=2", "--checkpoints.every=1"])
        assert cli.folder is not None
        return cli.folder.absolute()


def test_a_run_ends_with_a_card(run: Path) -> None:
    card = read_card(run / "card" / "card.json")
    assert [row.name for row in card.rows] == ["input", "mean colour", "blur", run.name]
    assert card.rows[-1].facts["step"] == 2
    assert "frames/s at 720x1280" in card.rows[-1].facts
    assert {"card.html", "card.md"} <= {path.name for path in (run / "card").iterdir()}


def test_the_command_writes_a_card_and_prints_its_table(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run / "checkpoints" / "last.ckpt"), "--out", str(tmp_path / "out"), *QUICK]) == 0
    said = capsys.readouterr().out
    assert run.name in said
    assert "mean colour" in said
    assert str(tmp_path / "out" / "card.html") in said
    card = read_card(tmp_path / "out" / "card.json")
    assert card.data["clips"] == "2 of 3 frames, 40x56"
    assert card.data["style"] == "own paintings (night; seed 0)"
    assert card.rows[-1].facts["parameters"] > 10_000
    assert "frames/s at 40x56" in card.rows[-1].facts
    assert any("random features" in note for note in card.notes)


@pytest.mark.slow
def test_figures_are_the_same_every_time(run: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        main([str(run), "--out", str(tmp_path / name), *QUICK[:3], "--speed=none"])
    first, second = ((tmp_path / name / "card.json").read_text() for name in ("a", "b"))
    assert json.loads(first)["rows"] == json.loads(second)["rows"]


@pytest.mark.slow
def test_several_checkpoints_are_compared(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.py").write_text("def same():\n    return lambda frames: frames.roll(3, -1)\n")
    names = [*(run / "checkpoints" / f"step-00000{n}.ckpt" for n in (1, 2)), "theirs.py:same"]
    card = evaluate(names, out=tmp_path / "out", clips=2, frames=3, size=(40, 56), speed=[])
    assert [row.name for row in card.rows][3:] == [f"{run.name} step 1", f"{run.name} step 2", "theirs:same"]
    assert set(card.front) <= {row.name for row in card.rows}


@pytest.mark.slow
def test_a_style_folder_and_videos(run: Path, tmp_path: Path, clip: object, styles: Path) -> None:
    (tmp_path / "videos").mkdir()
    clip("videos/in.mp4", size=(48, 64))
    options = {"data": str(tmp_path / "videos"), "style": styles, "frames": 3, "size": (48, 64), "speed": []}
    card = evaluate([run], out=tmp_path / "out", clips=2, **options)
    assert "added_flicker" not in [column.key for column in card.columns]
    assert "estimated (DIS)" in str(card.data["motion"])
    assert any("Added flicker" in note for note in card.notes)


@pytest.mark.slow
@pytest.mark.shared
def test_the_style_distance_is_that_of_vgg_where_weights_are_given(run: Path, tmp_path: Path, shared: Path) -> None:
    weights = shared / "weights" / "vgg19_normalised_conv3_1.pth"
    options = {"extractor": "vgg19", "extractor_weights": weights, "speed": [], "frames": 2, "size": (64, 64)}
    card = evaluate([run], out=tmp_path / "out", clips=2, **options)
    assert "VGG-19" in card.columns[0].about
    assert not any("random features" in note for note in card.notes)
    from fit.evaluation.session import Session

    session, extractor = Session([str(run)], clips=2, **options), FeatureExtractor("vgg19", weights=weights)
    content = torch.cat([one.content[:, 1] for one in session.clips])
    target = mean_grams(extractor(picture) for picture in session.clips.styles())
    assert card.rows[0].values["style"].value == pytest.approx(
        float(gram_distance(mean_grams([extractor(content)]), target)), rel=1e-4
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["absent.ckpt"], "absent.ckpt"),
        (["RUN", "--data", "absent"], "absent"),
        (["RUN", "--style", "absent"], "absent"),
        (["RUN", "--size", "40"], "expected HEIGHTxWIDTH, such as 256x448, got 40"),
        (["RUN", "--clips", "-1"], "expected at least 0, got -1"),
        (["RUN", "--extractor", "vgg"], "vgg"),
        (["RUN", "--extractor", "random", "--extractor-weights", "x.pth"], "x.pth"),
        (["RUN", "--extractor", "vgg19", "--extractor-weights", "x.pth"], "x.pth"),
        (["RUN", "--lpips", "alex", "--lpips-weights", "x.pth"], "x.pth"),
        (["RUN", "--flow-weights", "x.pth"], "expected --flow raft"),
        (["RUN", "--device", "cuda:99"], "cuda:99"),
        (["RUN", "--cilps", "3"], "did you mean --clips?"),
        (["nowhere:make"], "nowhere"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    options: list[str], message: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    words = [str(run) if word == "RUN" else word for word in options]
    with pytest.raises(SystemExit) as left:
        main([*words, "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before


def test_interrupted_it_writes_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fit.evaluation.session.measure", interrupted)  # by then pictures and films are made
    assert main([str(run), "--out", str(tmp_path / "new" / "card"), *QUICK]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_out_that_is_a_file_is_refused_before_any_work(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fit.evaluation.session.judge_all", lambda *_: pytest.fail("worked before it looked"))
    (tmp_path / "out").touch()
    with pytest.raises(SystemExit) as left:
        main([str(run), "--out", str(tmp_path / "out"), *QUICK])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected a folder that can be written to" in line


def test_a_failing_card_does_not_undo_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no space for pictures")

    monkeypatch.setattr("fit.cli.evaluate", broken)
    options = ["--data.size=[32,32]", "--data.workers=0", "--data.clips=4", "--samples.clips=1", "--model.steps=1"]
    cli = fit(options)
    said = capsys.readouterr()
    assert "warning: no card: no space for pictures" in said.err
    assert "Repaint a video with it:" in said.out
    assert cli.model.generator_step == 1


def judged_on_septuplets(run: Path, shared: Path, out: Path, **options: object) -> dict[str, float]:
    """R of each row, a published frame-wise network among them."""
    names = [run, f"{Path(__file__).parents[1] / 'framewise_network.py'}:mosaic"]
    card = evaluate(names, out=out, data=str(shared / "vimeo_septuplet"), split="all", style=shared / "styles", **options)
    assert not card.rows[-1].flags
    return {row.name: row.values["flicker_ratio"].value for row in card.rows}


@pytest.mark.slow
@pytest.mark.shared
def test_a_framewise_network_flickers_on_real_clips(run: Path, shared: Path, tmp_path: Path) -> None:
    ratios = judged_on_septuplets(run, shared, tmp_path / "out", clips=3, size=(64, 112), speed=[])
    assert ratios["input"] == pytest.approx(1)
    assert ratios["framewise_network:mosaic"] > 5


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.timeout(3600)
def test_the_default_run_flickers_less_than_a_framewise_network_on_real_clips(shared: Path, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    folder = fit(["--card", "0"]).folder
    assert folder is not None
    ratios = judged_on_septuplets(folder, shared, tmp_path / "out", clips=0, speed=[])
    print(f"\nflicker ratios on all septuplets: {ratios}")
    assert ratios["input"] == pytest.approx(1)
    assert 1 < ratios[folder.name] < ratios["framewise_network:mosaic"]
