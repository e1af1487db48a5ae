from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from fit.evaluation.media import contact_sheet, error_maps, film
from lightning_modules.pictures import GAP, HEADING


def greys(*values: float, size: tuple[int, int] = (130, 160)) -> torch.Tensor:
    """A clip with a frame for each grey."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, *size)


def test_a_contact_sheet_has_a_column_for_each_row_and_time_goes_down(tmp_path: Path) -> None:
    columns = {"input": greys(*torch.linspace(-1, 1, 10).tolist()), "network": greys(*[0.0] * 10)}
    contact_sheet(columns, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (HEADING + 4 * (130 + GAP), 2 * (160 + GAP), 3)
    rows = [sheet[HEADING + row * (130 + GAP) + 65] for row in range(4)]
    assert [int(row[80, 0]) for row in rows] == [0, 85, 170, 255]  # frames 0, 3, 6 and 9 of 10
    assert [int(row[160 + GAP + 80, 0]) for row in rows] == [128] * 4


def test_a_contact_sheet_of_many_large_columns_is_narrow(tmp_path: Path) -> None:
    contact_sheet({f"row {number}": greys(0, size=(256, 448)) for number in range(12)}, tmp_path / "sheet.png")
    width, height = Image.open(tmp_path / "sheet.png").size
    assert 1900 < width <= 2048
    assert height == HEADING + round(256 * 168 / 448) + GAP


def test_films_of_the_same_clips_are_equally_long_one_clip_after_the_other(tmp_path: Path) -> None:
    film([greys(-1, -0.5, 0), greys(0.9, 0.9)], tmp_path / "a.mp4", rate=6)
    film([greys(1, 1, 1), greys(1, 1)], tmp_path / "b.mp4", rate=6)
    shown = []
    for name in "ab":
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 6)
            shown.append([float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)])
    assert len(shown[0]) == len(shown[1]) == 24 + 24  # each clip to and fro until it lasts
    assert shown[0][:5] == pytest.approx([0, 64, 128, 64, 0], abs=4)
    assert shown[0][24:] == pytest.approx([242] * 24, abs=4)


def test_large_films_are_made_smaller(tmp_path: Path) -> None:
    film([greys(0, 0, size=(360, 640))], tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.height, frame.width) == (270, 480)


def test_error_maps_have_one_scale_and_grey_where_nothing_was_compared(tmp_path: Path) -> None:
    calm, wild = torch.full((2, 140, 150), 0.01), torch.full((2, 140, 150), 0.04)
    wild[0, :20] = float("nan")
    error_maps({tmp_path / "calm.png": calm, tmp_path / "wild.png": wild})
    pictures = [np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int) for name in ("calm", "wild")]
    assert pictures[0].shape == pictures[1].shape == (140 + GAP + HEADING, 2 * (150 + GAP), 3)
    assert pictures[1][10, 75].tolist() == [128] * 3
    # Roots of 10 and 20 percent: the larger has the brightest colour, the smaller that in the middle of the bar below.
    bar = pictures[1][-HEADING // 2]
    left, right = HEADING, HEADING + pictures[1].shape[1] // 3 - 1
    np.testing.assert_allclose(pictures[1][80, 75], bar[right], atol=3)
    np.testing.assert_allclose(pictures[0][80, 75], bar[(left + right) // 2], atol=6)
    assert pictures[1][80, 75].sum() > pictures[0][80, 75].sum() + 100


def test_rounding_errors_do_not_glow(tmp_path: Path) -> None:
    error_maps({tmp_path / "still.png": torch.full((1, 140, 150), 1e-9)})
    assert np.asarray(Image.open(tmp_path / "still.png"))[:140, :150].max() < 30
    error_maps({tmp_path / "none.png": torch.full((1, 140, 150), float("nan"))})
    assert (np.asarray(Image.open(tmp_path / "none.png"))[:140, :150] == 128).all()
