import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from datamodules import video_index
from datamodules.errors import DataError
from datamodules.video_index import known_videos, main, usable_videos
from datamodules.videos import Video


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(video_index, "say", lines.append)
    return lines


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are checked, as nothing is remembered of them."""
    names: list[str] = []
    given = video_index.check_files

    def counted(sizes: dict[Path, int]):  # type: ignore[no-untyped-def]
        names.extend(path.name for path in sizes)
        return given(sizes)

    monkeypatch.setattr(video_index, "check_files", counted)
    return names


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, record: Callable[..., Video]) -> Callable[..., Path]:
    """A folder of which this is known: videos of so many frames and with such cuts, or errors."""

    def build(**files: Video | DataError) -> Path:
        known = {tmp_path / name: found for name, found in files.items()}
        monkeypatch.setattr(video_index, "list_files", lambda folder, kinds: list(known))
        monkeypatch.setattr(video_index, "known_videos", lambda paths: known)
        return tmp_path

    return build


def test_a_file_is_checked_once_and_known_to_the_next_process(
    tmp_path: Path, video: Callable[..., Path], checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [video(tmp_path / name, range(8)) for name in ("a.mp4", "b.ts")]
    (tmp_path / "c.mp4").write_text("no video")
    paths.append(tmp_path / "c.mp4")
    first = known_videos(paths)
    assert sorted(checked) == ["a.mp4", "b.ts", "c.mp4"]
    assert list(first) == paths
    for forget in (False, True):
        if forget:
            monkeypatch.setattr(video_index, "_known", {})
        again = known_videos(paths)
        assert [again[path] for path in paths[:2]] == [first[path] for path in paths[:2]]
        assert str(again[paths[2]]) == str(first[paths[2]])
    assert len(checked) == 3
    video(paths[0], range(9))
    os.utime(paths[0], ns=(0, 0))
    assert len(known_videos(paths)[paths[0]].ticks) == 9  # type: ignore[union-attr]
    assert checked[3:] == ["a.mp4"]


def test_spoilt_memories_are_made_again(
    tmp_path: Path, video: Callable[..., Path], checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.mp4", range(8))
    monkeypatch.setattr(video_index, "remembered", lambda *file: {"video": {"something": "else"}})
    assert isinstance(known_videos([path])[path], Video)
    assert checked == ["a.mp4"]


def test_a_crash_is_named_and_not_remembered(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.mp4", range(8))
    given = video_index.check_files
    monkeypatch.setattr(video_index, "check_files", lambda sizes: [(path, {"died": "SIGSEGV"}) for path in sizes])
    assert "got one that crashes the check (SIGSEGV)" in str(known_videos([path])[path])
    monkeypatch.setattr(video_index, "check_files", given)
    assert isinstance(known_videos([path])[path], DataError), "not twice in the same process"
    monkeypatch.setattr(video_index, "_known", {})
    assert isinstance(known_videos([path])[path], Video)


def test_a_cache_folder_that_cannot_be_written_to_is_said_and_harmless(
    tmp_path: Path, video: Callable[..., Path], checked: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(tmp_path / "a.mp4", range(8))
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    for _ in range(2):
        assert isinstance(known_videos([path])[path], Video)
    assert len(checked) == len(said) == 1
    assert "the cache folder cannot be written to" in said[0]


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    found = known_videos([tmp_path / "a.mp4"])[tmp_path / "a.mp4"]
    assert "expected a file that can be read, got No such file" in str(found)


def test_files_too_short_or_unreadable_are_left_out_with_their_reasons(
    tmp_path: Path, video: Callable[..., Path], said: list[str]
) -> None:
    good = [video(tmp_path / name, range(8)) for name in ("a.mp4", "below/-b.mp4")]
    video(tmp_path / "short.mp4", range(6))
    (tmp_path / "text.mp4").write_text("no video")
    for _ in range(2):
        videos = usable_videos(tmp_path, 7)
        assert [(video.path, video.frames) for video in videos] == [(path, 8) for path in sorted(good)]
    assert len(said) == 1, "the same line is said once"
    assert "2 of 4 videos usable, 16 frames in 2 shots; left out: text.mp4 (expected a video file" in said[0]
    assert said[0].endswith("short.mp4 (6 frames at a stretch of 7)")


def test_what_is_short_or_slow_is_counted(
    given: Callable[..., Path], record: Callable[..., Video], tmp_path: Path, said: list[str]
) -> None:
    folder = given(
        a=record(tmp_path / "a", 200, "pyav", cuts=(50, 53, 60)),
        b=record(tmp_path / "b", 90, "pyav"),
        c=record(tmp_path / "c", 300, "pyav", entries=(0, 100)),
        d=record(tmp_path / "d", 20, cuts=(10,)),
    )
    assert [video.path.name for video in usable_videos(folder, 7)] == list("abcd")
    assert said == [
        f"{folder}: 4 of 4 videos usable, 610 frames in 8 shots; shots shorter than a clip, not used: 1 with 3 frames; "
        "slow, as read from their beginning each time: 1 (convert to H.264 with key frames)"
    ]
    assert [video.path.name for video in usable_videos(folder, 11)] == list("abc")
    assert "left out: d (10 frames at a stretch of 11)" in said[1]
    assert [video.path.name for video in usable_videos(folder, 36, Fraction(5))] == ["c"], "they are of 25 frames a second"


def test_a_folder_with_nothing_usable_is_refused(
    tmp_path: Path, given: Callable[..., Path], record: Callable[..., Video]
) -> None:
    with pytest.raises(DataError, match="none: no video files"):
        usable_videos(tmp_path, 3)
    folder = given(a=record(tmp_path / "a", 9, cuts=(2, 5)))
    with pytest.raises(
        DataError, match=r"at least 5 frames without a cut, got none: left out: a \(4 frames at a stretch of 5\)"
    ):
        usable_videos(folder, 5)


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_no_more_may_be_lost_than_was_said(
    tmp_path: Path, given: Callable[..., Path], record: Callable[..., Video], lost: int
) -> None:
    error = DataError("x", "a video", "a ruin", "repair it")
    folder = given(**{f"v{n}": error if n < lost else record(tmp_path / f"v{n}", 9) for n in range(4)})
    for most in (0, 0.24, 0.25, 0.5, 0.6, 0.75, 1):
        if lost / 4 > most:
            match = rf"at most {most:.0%} of the videos unreadable, got {lost} of 4: v0 \(expected a video, got a ruin\)"
            with pytest.raises(DataError, match=match):
                usable_videos(folder, 3, max_lost=most)
        else:
            assert len(usable_videos(folder, 3, max_lost=most)) == 4 - lost


def test_of_many_left_out_some_are_named(
    tmp_path: Path, given: Callable[..., Path], record: Callable[..., Video], said: list[str]
) -> None:
    files = {f"v{n}": DataError("x", "a video", "a ruin", "repair it") for n in range(50)}
    usable_videos(given(**files, good=record(tmp_path / "good", 9)), 3, max_lost=1)
    assert said[0].endswith("v19 (expected a video, got a ruin); and 30 more")


def test_the_list_names_every_file(tmp_path: Path, video: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    video(tmp_path / "a.mp4", range(8))
    video(tmp_path / "b.ts", range(8))
    (tmp_path / "c.mp4").touch()
    main(str(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("8 frames in 0.28 s (even), 1 shots, rotation 0, read by decord")
    assert "h264 in mpegts" in lines[1]
    assert lines[1].endswith("read by in order")
    assert lines[2].endswith("c.mp4: expected a video file, got an empty file; copy it again")


def test_a_script_without_a_guard_runs_once(tmp_path: Path, video: Callable[..., Path]) -> None:
    video(tmp_path / "videos" / "a.mp4", range(8))
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom datamodules.video_index import usable_videos\n"
        "print('once', len(usable_videos(Path('videos'), 3)))\n"
    )
    root = str(Path(video_index.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": root},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "once 1\n"
    assert done.stderr.endswith("videos: 1 of 1 videos usable, 8 frames in 1 shots\n")
