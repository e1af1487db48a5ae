"""Raw frames to a file descriptor."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from fit.raw import RawWriter
from fit.timeline import Frame


def test_frames_are_written_byte_for_byte_in_black_bars_where_they_are_smaller(tmp_path: Path) -> None:
    reader = SimpleNamespace(info=SimpleNamespace(height=4, width=6))
    whole, small = (np.arange(h * w * 3, dtype=np.uint8).reshape(h, w, 3) + 1 for h, w in ((4, 6), (4, 4)))
    with (tmp_path / "raw").open("wb") as file, RawWriter([reader], file.fileno()) as writer:  # type: ignore[list-item]
        for number, rgb in enumerate((whole, small)):
            writer.write(Frame(Fraction(number, 25), Fraction(1, 25), rgb))
    first, second = np.frombuffer((tmp_path / "raw").read_bytes(), np.uint8).reshape(2, 4, 6, 3)
    assert np.array_equal(first, whole)
    assert np.array_equal(second[:, 1:5], small)
    assert not second[:, [0, 5]].any()
    assert (writer.frames, writer.seconds) == (2, Fraction(2, 25))
