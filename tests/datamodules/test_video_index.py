import os
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.decode import DecordReader, open_indexed, read_frames
from datamodules.errors import DataError
from datamodules.frames import open_video
from datamodules.video_index import check_video, usable_videos

Numbers = Callable[[NDArray[np.uint8]], list[int]]

# Files on which Decord returns wrong frames (or wrong colours), by what makes them so.
WRONG = {
    "open groups of pictures.mp4": {"x264-params": "open-gop=1:keyint=8:bframes=3:b-adapt=0:scenecut=0"},
    "default x265.mp4": {"codec": "libx265", "x265-params": "keyint=8:min-keyint=8:log-level=none"},
    "transport stream.ts": {"g": "8"},
    "ten bits.mp4": {"pixels": "yuv420p10le", "g": "8"},
}
RIGHT = {
    "closed groups.mp4": {"g": "8", "bf": "2"},
    "closed x265.mp4": {"codec": "libx265", "x265-params": "keyint=8:open-gop=0:log-level=none"},
    "full colour.mp4": {"pixels": "yuv444p", "g": "8"},
    "lossless.mkv": {"codec": "ffv1", "pixels": "bgr0"},
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_decord_gets_wrong_are_recognised_and_read_right(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, name: str
) -> None:
    path = video(tmp_path / name, range(40), **WRONG[name])
    assert check_video(path) == (path, 40, "in order")
    for first in (0, 7, 9, 33):
        assert read_numbers(read_frames(path, range(first, first + 7), "in order")) == list(range(first, first + 7))


@pytest.mark.parametrize("name", ["open groups of pictures.mp4", "default x265.mp4", "transport stream.ts"])
def test_decord_does_get_them_wrong(tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, name: str) -> None:
    # Should this ever fail, Decord has improved and the slow reading is no longer needed.
    reader = DecordReader(video(tmp_path / name, range(40), **WRONG[name]))
    assert any(read_numbers(reader.read([first])) != [first] for first in (39, 30, 20, 10, 0))


@pytest.mark.parametrize("name", RIGHT)
def test_files_that_decord_gets_right_are_read_by_it(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, name: str
) -> None:
    path = video(tmp_path / name, range(40), **RIGHT[name])
    assert check_video(path) == (path, 40, "decord")
    for first in np.random.default_rng(0).integers(34, size=30):
        assert read_numbers(read_frames(path, range(first, first + 7), "decord")) == list(range(first, first + 7))


def test_a_changed_file_is_checked_anew(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.mp4", range(5))
    assert check_video(path).frames == 5
    video(path, range(9))
    os.utime(path, ns=(0, 0))
    assert check_video(path).frames == 9


def test_files_too_short_or_unreadable_are_left_out_with_their_reasons(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("datamodules.video_index.say", said.append)
    good = [video(tmp_path / name, range(8)) for name in ("a.mp4", "below/-b.mp4")]
    video(tmp_path / "short.mp4", range(6))
    (tmp_path / "text.mp4").write_text("no video")
    for _ in range(2):
        videos = usable_videos(tmp_path, 7)
        assert [(video.path, video.frames) for video in videos] == [(path, 8) for path in sorted(good)]
    assert len(said) == 1, "the same line is said once"
    assert "2 of 4 videos usable, 16 frames" in said[0]
    assert "short.mp4 (6 frames of 7)" in said[0]
    assert "text.mp4 (expected a video file" in said[0]


def test_a_folder_with_nothing_usable_is_refused(tmp_path: Path, video: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="none: no video files"):
        usable_videos(tmp_path, 3)
    video(tmp_path / "a.mp4", range(2))
    with pytest.raises(DataError, match=r"at least 3 frames, got none: a\.mp4 \(2 frames of 3\)"):
        usable_videos(tmp_path, 3)


def test_a_folder_that_is_mostly_unreadable_is_refused(tmp_path: Path, video: Callable[..., Path]) -> None:
    good = video(tmp_path / "a.mp4", range(3))
    for name in ("b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(good.read_bytes()[:300])
    with pytest.raises(DataError, match="2 of 3 unreadable"):
        usable_videos(tmp_path, 3)


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
    ["video_90.mov", "h265_video.mp4", "MOV00006.3gp", "h264_10bits.mp4", "one_pixel.mp4", "av1_video.mkv"],
)
def test_awkward_real_videos_are_read_right(shared: Path, name: str) -> None:
    path = shared / "videos" / name
    video = check_video(path)
    with open_video(path, stream="best") as opened:
        in_order = [frame.rgb[::4, ::4].astype(int) for frame in opened]
    assert len(in_order) == video.frames
    draws = np.random.default_rng(0)
    for first in draws.integers(max(1, video.frames - 3), size=6):
        run = range(first, min(first + 3, video.frames))
        for frame, number in zip(read_frames(path, run, video.decoder), run, strict=True):
            # Decord rounds its conversion to RGB more coarsely.
            assert np.abs(frame[::4, ::4] - in_order[number]).mean() < 1.5, number


@pytest.mark.shared
def test_a_fresh_reader_decodes_right_what_depends_on_the_first_frame(shared: Path) -> None:
    # Written by an x264 whose 4:4:4 needs to be decoded differently; only its first frame says so.
    path, number = shared / "videos" / "cockatoo.mp4", 77
    frame = open_indexed(path).read([number])[0]
    with open_video(path) as opened:
        right = next(islice(opened, number, None)).rgb
    assert np.abs(frame[::4, ::4].astype(int) - right[::4, ::4]).mean() < 1.5
