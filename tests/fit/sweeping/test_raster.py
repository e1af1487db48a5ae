import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.frame import picture
from fit.evaluation.plots.look import Look
from fit.sweeping.raster import _dashed, _paths, png


def drawn(*parts: Markup) -> NDArray[np.int64]:
    image = Image.open(io.BytesIO(png(picture("a", "b", 100, *parts))))
    assert image.size == (1280, 200)
    return np.asarray(image.convert("RGB"), dtype=np.int64)


def test_shapes_are_where_they_belong_in_the_colours_of_the_style_sheet() -> None:
    pixels = drawn(
        tag("rect", x=10, y=10, width=20, height=30, class_="disc c0"),
        tag("circle", cx=100, cy=50, r=10, class_="disc c1"),
        tag("circle", cx=200, cy=50, r=10, class_="ring c2"),
        tag("polyline", points="300,20 340,20", stroke="#123456", stroke_width=4.0, fill="none"),
        tag("line", x1=400, x2=400, y1=10, y2=90, class_="grid-line"),
    )
    for (x, y), colour in {
        (20, 25): (0x00, 0x72, 0xB2),
        (100, 50): (0xD5, 0x5E, 0x00),
        (200, 50): (255, 255, 255),
        (210, 50): (0x00, 0x81, 0x5E),
        (320, 20): (0x12, 0x34, 0x56),
        (5, 5): (255, 255, 255),
    }.items():
        np.testing.assert_allclose(pixels[2 * y, 2 * x], colour, atol=3)
    assert (pixels[100, 798:802] < 250).any(), "the grid"


@pytest.mark.parametrize(("anchor", "left", "right"), [(None, 300, 420), ("middle", 240, 360), ("end", 180, 300)])
def test_text_stands_on_its_place(anchor: str | None, left: int, right: int) -> None:
    pixels = drawn(tag("text", tag("title", "not shown"), "MMMMMM", x=300, y=50, text_anchor=anchor, class_="key"))
    rows, columns = np.nonzero((pixels < 128).all(2))
    assert left <= columns.min() / 2 < columns.max() / 2 <= right
    assert 38 <= rows.min() / 2 < rows.max() / 2 <= 50.5


def test_paths_of_every_mark() -> None:
    assert list(_paths("M1 2V5H-3")) == [[(1, 2), (1, 5), (-3, 5)]]
    cross = Look("grey", None, "input").mark(10, 20)
    (first, second) = _paths(cross.partition('d="')[2].partition('"')[0])
    assert (first, second) == ([(6, 16), (14, 24)], [(14, 16), (6, 24)])


def test_dashes_go_on_around_corners() -> None:
    pieces = list(_dashed([(0, 0), (5, 0), (5, 5)], [3, 4]))
    assert pieces == [[(0, 0), (3, 0)], [(5, 2), (5, 5)]]
