from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.errors import DataError
from datamodules.frames import VideoReader
from datamodules.seeking import SeekingReader
from datamodules.videos import Video

Numbers = Callable[[NDArray[np.uint8]], list[int]]
KEYS = (0, 8, 16, 24, 32)
OPEN = {"x264-params": "open-gop=1:keyint=8:bframes=3:b-adapt=0:scenecut=0"}


@pytest.fixture
def known(tmp_path: Path, video: Callable[..., Path], record: Callable[..., Video]) -> Video:
    """A file of open groups: behind its key frames lie pictures that are shown before them."""
    path = video(tmp_path / "a.mp4", range(40), **OPEN)
    return record(path, 40, "pyav", entries=KEYS)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every frame that is decoded."""
    seen: list[int] = []
    given = VideoReader._frame

    def counted(self: VideoReader, picture: object) -> object:
        seen.append(1)
        return given(self, picture)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoReader, "_frame", counted)
    return seen


def test_any_frames_in_any_order(known: Video, read_numbers: Numbers) -> None:
    reader = SeekingReader(known)
    for wanted in ([39], [0], [7], [15, 16, 17], [8], [2, 33], list(range(40)), [31], [24]):
        assert read_numbers(reader.read(wanted)) == wanted
    reader.close()
    assert read_numbers(reader.read([23])) == [23], "it opens again"


def test_no_more_is_decoded_than_from_the_key_frame_before(known: Video, decoded: list[int]) -> None:
    reader = SeekingReader(known)
    reader.read([3])
    for wanted, least in (([35], 4), ([16], 1), ([10, 12], 5), ([1, 33], 2 + 2), ([6, 9], 7 + 2)):
        decoded.clear()
        reader.read(wanted)
        # Opening at the first frame decodes nothing twice.
        assert len(decoded) == least, wanted


def test_a_frame_at_another_time_than_it_was_is_refused(known: Video) -> None:
    moved = [*range(20), *(n + 1 for n in range(20, 40))]
    reader = SeekingReader(known._replace(ticks=moved))
    assert len(reader.read([19])) == 1
    for wanted in ([20], [24]):
        with pytest.raises(DataError, match=r"a\.mp4: expected frames .* the file was changed"):
            reader.read(wanted)
    with pytest.raises(DataError, match="no way to it"):
        SeekingReader(known._replace(time_base=Fraction(1, 3))).read([9])


def test_frames_that_are_not_there_are_refused(known: Video) -> None:
    with pytest.raises(DataError, match=r"expected frames \[39, 40\], got 40 frames"):
        SeekingReader(known._replace(ticks=range(50))).read([39, 40])
    with pytest.raises(DataError, match=r"expected frames \[5\], got a frame at"):
        list(SeekingReader(known._replace(ticks=range(5))).frames_from(0))
