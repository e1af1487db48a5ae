from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit.evaluation.card import Card
from fit.evaluation.clips import JudgedClips, Look, judged_clips
from fit.evaluation.columns import columns
from fit.evaluation.measure import SHOWN, Seat, judge_all, to_card
from fit.evaluation.painters import Painter, controls
from fit.evaluation.tools import Tools
from fit.stream import Paint
from lightning_modules.flow import DISFlow
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.warping_error import pair_warping_errors

TOOLS = Tools(RandomFeatures(), gap=2, resamples=10)


@pytest.fixture(scope="module")
def clips() -> JudgedClips:
    return judged_clips("scenes", Look(), 6, DISFlow(), (40, 56), 3)


@pytest.fixture(scope="module")
def seats(clips: JudgedClips) -> list[Seat]:
    grey = Painter("grey", "network", torch.zeros_like, back=torch.zeros_like, facts={"step": 3})
    told: list[int] = []
    found = judge_all([*controls(clips.styles()), grey], clips, TOOLS, "cpu", lambda: told.append(1))
    assert len(told) == 6
    return found


@pytest.fixture(scope="module")
def card(seats: list[Seat], clips: JudgedClips, tmp_path_factory: pytest.TempPathFactory) -> tuple[Card, Path]:
    folder = tmp_path_factory.mktemp("card") / "new"
    return to_card(seats, "title", {"a": 1}, columns(TOOLS, True), clips.names, ["note"], folder), folder


def test_every_painter_has_a_row_with_every_clip(card: tuple[Card, Path]) -> None:
    assert [(row.name, row.kind) for row in card[0].rows] == [
        ("input", "input"), ("mean colour", "control"), ("blur", "control"), ("grey", "network")
    ]  # fmt: skip
    assert {len(row.clips) for row in card[0].rows} == {len(card[0].clips)} == {6}
    assert card[0].rows[3].facts == {"step": 3}


def test_the_input_has_a_ratio_of_one_and_the_cheats_their_flags(card: tuple[Card, Path]) -> None:
    rows = {row.name: row for row in card[0].rows}
    assert rows["input"].values["flicker_ratio"].value == pytest.approx(1)
    assert rows["input"].flags == []
    assert "constant" in rows["grey"].flags
    assert "blurred" in rows["blur"].flags
    assert "grey" not in card[0].front


def test_flicker_over_time_is_the_mean_over_clips(card: tuple[Card, Path], clips: JudgedClips) -> None:
    errors = torch.stack([pair_warping_errors(clip.content, *clip.motion)[0] for clip in clips])
    row = card[0].rows[0]
    assert row.over_time == pytest.approx(errors.mean(0).tolist())
    assert [clip["warping_error"] for clip in row.clips] == pytest.approx(errors.mean(1).tolist())
    assert row.values["warping_error"].value == pytest.approx(float(errors.mean()))


def test_only_the_cycle_of_those_that_have_one_is_judged(card: tuple[Card, Path]) -> None:
    assert ["cycle_psnr" in row.values for row in card[0].rows] == [False, False, False, True]


def test_pictures_and_films_lie_beside_it(card: tuple[Card, Path]) -> None:
    found, folder = card
    named = [found.sheet, *(row.video for row in found.rows), *(row.errors for row in found.rows)]
    assert {path.name for path in folder.iterdir()} == set(named)
    assert np.asarray(Image.open(folder / str(found.sheet))).std() > 10


def test_no_more_is_kept_than_is_shown(seats: list[Seat]) -> None:
    assert [(len(seat.shown), len(seat.maps)) for seat in seats] == [(SHOWN, SHOWN)] * 4


@pytest.mark.parametrize(
    ("paint", "message"),
    [
        (lambda frames: frames[..., :-1], r"theirs: expected painted frames \(3, 3, 40, 56\), got \(3, 3, 40, 55\)"),
        (lambda frames: (frames + 1) * 127.5, r"theirs: expected painted values in \[-1, 1\], got .* to 2"),
    ],
)
def test_refuses_painters_that_change_size_or_range(paint: Paint, message: str, clips: JudgedClips) -> None:
    with pytest.raises(ValueError, match=message):
        judge_all([Painter("theirs", "network", paint)], clips, TOOLS, "cpu", lambda: None)


def test_values_that_are_no_numbers_are_flagged(clips: JudgedClips, tmp_path: Path) -> None:
    def broken(frames: torch.Tensor) -> torch.Tensor:
        painted = frames.flip(-1)
        painted[0, 0, 0, 0] = torch.nan
        return painted

    seats = judge_all([Painter("broken", "network", broken)], clips, TOOLS, "cpu", lambda: None)
    (row,) = to_card(seats, "title", {}, columns(TOOLS, False), clips.names, [], tmp_path).rows
    assert "not finite" in row.flags
