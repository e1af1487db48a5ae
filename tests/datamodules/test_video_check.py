import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.decode import DecordReader, read_frames
from datamodules.errors import DataError
from datamodules.frames import open_video
from datamodules.seeking import SeekingReader
from datamodules.video_check import check_video

Numbers = Callable[[NDArray[np.uint8]], list[int]]

# Files on which Decord returns wrong frames (or wrong colours), by what makes them so.
WRONG: dict[str, dict[str, Any]] = {
    "open groups of pictures.mp4": {"x264-params": "open-gop=1:keyint=8:bframes=3:b-adapt=0:scenecut=0"},
    "default x265.mp4": {"codec": "libx265", "x265-params": "keyint=8:min-keyint=8:log-level=none"},
    "transport stream.ts": {"g": "8"},
    "ten bits.mp4": {"pixels": "yuv420p10le", "g": "8"},
}
RIGHT: dict[str, dict[str, Any]] = {
    "narrow.mkv": {"pixels": "yuv444p", "g": "8", "size": (33, 67)},
    "closed groups.mp4": {"g": "8", "bf": "2"},
    "closed x265.mp4": {"codec": "libx265", "x265-params": "keyint=8:open-gop=0:log-level=none"},
    "full colour.mp4": {"pixels": "yuv444p", "g": "8"},
    "lossless.mkv": {"codec": "ffv1", "pixels": "bgr0"},
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_decord_gets_wrong_are_recognised_and_read_right(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, name: str
) -> None:
    known = check_video(video(tmp_path / name, range(40), **WRONG[name]))
    assert (known.frames, known.decoder, known.entries) == (40, "pyav", (0, 8, 16, 24, 32))
    for first in (33, 0, 7, 9):
        assert read_numbers(read_frames(known, range(first, first + 7))) == list(range(first, first + 7))


@pytest.mark.parametrize("name", ["open groups of pictures.mp4", "default x265.mp4", "transport stream.ts"])
def test_decord_does_get_them_wrong(tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, name: str) -> None:
    # Should this ever fail, Decord has improved and no other reader is needed.
    reader = DecordReader(video(tmp_path / name, range(40), **WRONG[name]))
    assert any(read_numbers(reader.read([first])) != [first] for first in (39, 30, 20, 10, 0))


@pytest.mark.parametrize("name", RIGHT)
def test_files_that_decord_gets_right_are_read_by_it(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, name: str
) -> None:
    known = check_video(video(tmp_path / name, range(40), **RIGHT[name]))
    assert (known.frames, known.decoder, known.entries) == (40, "decord", ())
    for first in np.random.default_rng(0).integers(34, size=30):
        assert read_numbers(read_frames(known, range(first, first + 7))) == list(range(first, first + 7))


def test_a_single_wrong_frame_anywhere_is_enough(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.mp4", range(40), g="8")
    given = DecordReader.read

    def spoilt(self: DecordReader, indices: list[int]) -> NDArray[np.uint8]:
        frames = given(self, indices).copy()
        if indices == [wrong]:
            frames[0, 20, 30, 1] ^= 16
        return frames

    monkeypatch.setattr(DecordReader, "read", spoilt)
    for wrong in (-1, 0, 21, 39):
        assert check_video(path).decoder == ("decord" if wrong < 0 else "pyav")


def test_a_frame_too_many_is_wrong(tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    given = DecordReader.__len__
    monkeypatch.setattr(DecordReader, "__len__", lambda self: given(self) + 1)
    assert check_video(video(tmp_path / "a.mp4", range(40), g="8")).decoder == "pyav"


def test_key_frames_from_which_pyav_decodes_wrong_are_not_used(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.ts", range(40), g="8")
    given = SeekingReader.frames_from

    def spoilt(self: SeekingReader, entry: int):  # type: ignore[no-untyped-def]
        if entry == 24:
            raise DataError(path, "a frame", "none", "mend it")
        # From frame 16 on the same frame comes a place late.
        return ((number, frame) for number, frame in given(self, entry - 8 if entry == 16 else entry))

    monkeypatch.setattr(SeekingReader, "frames_from", spoilt)
    assert check_video(path).entries == (0, 8, 32)


def test_a_file_that_decodes_differently_each_time_is_refused(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.ts", range(40), g="8")
    given = SeekingReader.frames_from

    def spoilt(self: SeekingReader, entry: int):  # type: ignore[no-untyped-def]
        return ((number, frame) for number, frame in given(self, 8 if entry == 0 else entry))

    monkeypatch.setattr(SeekingReader, "frames_from", spoilt)
    with pytest.raises(DataError, match="decodes alike each time, got other frames the second time"):
        check_video(path)


def test_a_refresh_without_key_frames_is_read_in_order(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers
) -> None:
    # What FFmpeg calls key frames in it can be decoded from only after a few frames.
    options = {"x264-params": "intra-refresh=1:keyint=8:bframes=0", "pixels": "yuv420p10le"}
    known = check_video(video(tmp_path / "a.mp4", range(40), **options))
    assert known.in_order
    assert read_numbers(read_frames(known, [3, 30])) == [3, 30]


def test_what_is_found_out(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.mkv", [*range(12), *range(165, 185)])
    known, status = check_video(path), path.stat()
    assert (known.path, known.size, known.changed) == (path, status.st_size, status.st_mtime_ns)
    assert (known.container, known.codec, known.rotation, known.cuts) == ("matroska,webm", "h264", 0, (12,))
    with open_video(path) as opened:
        assert [known.time(number) for number in range(known.frames)] == [frame.time for frame in opened]
    assert known.time(25) == Fraction(1)


def test_progress_goes_from_nothing_to_all(tmp_path: Path, video: Callable[..., Path]) -> None:
    told: list[float] = []
    check_video(video(tmp_path / "a.ts", range(40), g="8"), told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert len(told) > 40


def test_a_picture_size_that_changes_is_refused(tmp_path: Path, video: Callable[..., Path]) -> None:
    # Concatenated streams of two sizes: a real one comes from a television recording.
    small = video(tmp_path / "small.ts", range(4), codec="mpeg2video")
    large = video(tmp_path / "large.ts", range(4), codec="mpeg2video", size=(64, 96))
    both = tmp_path / "both.ts"
    with both.open("wb") as file:
        for part in (small, large):
            with part.open("rb") as source:
                shutil.copyfileobj(source, file)
    with pytest.raises(DataError):
        check_video(both)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    ["video_90.mov", "h265_video.mp4", "MOV00006.3gp", "h264_10bits.mp4", "one_pixel.mp4", "av1_video.mkv", "short_mpeg2.ts"],
)
def test_awkward_real_videos_are_read_right(shared: Path, name: str) -> None:
    path = shared / "videos" / name
    known = check_video(path)
    with open_video(path, stream="best") as opened:
        in_order = [frame.rgb[::4, ::4].astype(int) for frame in opened]
    assert len(in_order) == known.frames
    draws = np.random.default_rng(0)
    for first in draws.integers(max(1, known.frames - 3), size=6):
        run = range(first, min(first + 3, known.frames))
        for frame, number in zip(read_frames(known, run), run, strict=True):
            # Decord rounds its conversion to RGB more coarsely.
            assert np.abs(frame[::4, ::4] - in_order[number]).mean() < 1.5, number


@pytest.mark.shared
def test_a_file_that_decodes_to_what_lies_in_memory_is_refused(shared: Path, tmp_path: Path) -> None:
    content = bytearray((shared / "videos" / "big_buck_bunny_432_433.webm").read_bytes())
    for place, value in ((30270, 0o243), (53666, 0o15), (63926, 0o22)):  # found by spoiling files at random
        content[place] = value
    (tmp_path / "a.webm").write_bytes(content)
    with pytest.raises(DataError, match="decodes alike each time"):
        check_video(tmp_path / "a.webm")


@pytest.mark.shared
def test_a_sideways_recording_is_noted_as_such(shared: Path) -> None:
    assert check_video(shared / "videos" / "video_90.mov").rotation == 270
