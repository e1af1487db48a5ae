import os
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules.errors import DataError
from datamodules.frames import VideoReader, open_video
from fit.render import check, expected_frames, frames_together, painters, render, with_bar
from fit.video import VideoWriter

Clip = Callable[..., Path]


def same(frames: Tensor) -> Tensor:
    return frames


def damaged(source: Path) -> Path:
    content = bytearray(source.read_bytes())
    middle = content.index(b"mdat") + content.index(b"moov") >> 1
    content[middle : middle + 300] = bytes(300)
    source.write_bytes(content)
    return source


def test_check_counts_what_will_be_painted(clip: Clip, tmp_path: Path) -> None:
    a, b = clip("a.mp4"), clip("b.mkv", times=[Fraction(0), Fraction(1)])
    cut = (Fraction("0.1"), Fraction(1))
    assert check([a, b, a]) == 22
    assert check([a, b], cut) == 8
    assert render([a, b], tmp_path / "out.mp4", same, cut)[0].startswith(f"{tmp_path / 'out.mp4'}: 8 frames, ")


def test_check_looks_at_every_file_before_it_reads_the_first(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fit.render.look_through", lambda *_: pytest.fail("a file was read"))
    with pytest.raises(DataError, match=r"gone\.mp4: expected a video file, got nothing there"):
        check([clip(), Path("gone.mp4")])


def test_check_meets_damage_and_empty_cuts(clip: Clip) -> None:
    long = [Fraction(n, 25) for n in range(100)]
    with pytest.raises(DataError, match="it is damaged"):
        check([damaged(clip(times=long, g="10"))])
    with pytest.raises(DataError, match="expected frames between --start and --end, got none"):
        check([clip()], (Fraction(3), None))


def test_damage_met_while_painting_leaves_nothing(clip: Clip, tmp_path: Path) -> None:
    source = damaged(clip(times=[Fraction(n, 25) for n in range(100)], g="10"))
    with pytest.raises(DataError, match="it is damaged"):
        render([source], tmp_path / "out.mp4", same)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_nothing_to_write_is_no_file(clip: Clip, tmp_path: Path) -> None:
    source = clip()
    with pytest.raises(DataError, match="at least one frame"):
        render([source], tmp_path / "out.mp4", same, (Fraction(3), None))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_expected_frames_from_what_files_declare(clip: Clip) -> None:
    with open_video(clip()) as reader:
        info = reader.info
    assert expected_frames([info, info], (Fraction(0), None)) == 20
    assert expected_frames([info, info], (Fraction("0.2"), Fraction("0.6"))) == 10
    assert expected_frames([info, replace(info, frames=None)], (Fraction(0), None)) is None
    assert expected_frames([info, replace(info, duration=None)], (Fraction(0), None)) is None


def test_a_short_run_nobody_watches_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(with_bar(range(5), "doing", 5)) == list(range(5))
    assert not capsys.readouterr().err


def test_frames_are_painted_by_several_threads_at_once(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fit.render.painters", lambda _: (2, 1))
    meet = threading.Barrier(2, timeout=10)

    def paint(frames: Tensor) -> Tensor:
        meet.wait()
        assert torch.get_num_threads() == 1
        return frames

    before = torch.get_num_threads(), threading.active_count()
    render([clip()], tmp_path / "out.mp4", paint)
    assert (torch.get_num_threads(), threading.active_count()) == before


@pytest.mark.parametrize(("cores", "expected"), [(1, (1, 1)), (2, (2, 1)), (4, (4, 1)), (10, (4, 2)), (64, (4, 16))])
def test_painters_share_the_cores(cores: int, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert painters("cpu") == expected
    assert painters("cuda") == (2, 1)


def test_for_latency_a_frame_is_written_before_the_next_is_decoded(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []

    def noted(what: str, function: Callable[..., object]) -> Callable[..., object]:
        return lambda *args: did.append(what) or function(*args)  # type: ignore[func-returns-value]

    monkeypatch.setattr(VideoReader, "_frame", noted("decode", VideoReader._frame))
    monkeypatch.setattr(VideoWriter, "write", noted("write", VideoWriter.write))
    source = clip()
    render([source], tmp_path / "out.mp4", noted("paint", same), latency=True)  # type: ignore[arg-type]
    assert did == ["decode", "paint", "write"] * 10
    render([source], tmp_path / "usual.mp4", same)
    held = [b"mbtree=1" in (tmp_path / name).read_bytes() for name in ("out.mp4", "usual.mp4")]
    assert held == [False, True]  # what x264 notes down: whether it looks at later frames first


@pytest.mark.parametrize(
    ("size", "device", "count"),
    [((256, 448), "cpu", 4), ((360, 640), "cpu", 2), ((720, 1280), "cpu", 1), ((8, 8), "cpu", 8), ((256, 448), "cuda", 1)],
)
def test_small_frames_are_painted_together_on_a_cpu(size: tuple[int, int], device: str, count: int) -> None:
    assert frames_together(size, device) == count


@pytest.mark.parametrize(("batch", "groups"), [(None, [8, 2]), (1, [1] * 10), (3, [3, 3, 3, 1])])
def test_as_many_frames_are_painted_together_as_asked_or_as_suit_them(
    batch: int | None, groups: list[int], clip: Clip, tmp_path: Path
) -> None:
    seen: list[int] = []

    def paint(frames: Tensor) -> Tensor:
        seen.append(len(frames))
        return frames

    render([clip(times=[Fraction(n, 25) for n in range(10)])], tmp_path / "out.mp4", paint, batch=batch)
    assert sorted(seen) == sorted(groups)  # in several threads


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell how much memory is in use")
def test_memory_does_not_grow_with_length(clip: Clip, tmp_path: Path) -> None:
    used = []

    def paint(frames: Tensor) -> Tensor:
        used.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
        return frames

    source = clip(times=[Fraction(n, 25) for n in range(800)], size=(120, 160), sound=["aac"], preset="ultrafast")
    render([source], tmp_path / "out.mp4", paint, batch=4)
    assert len(used) == 200
    # Held, 700 frames would be 40 MB as pixels, and four times that as numbers.
    assert max(used) - max(used[:25]) < 15


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pixels": "yuv420p10le"}, ["painted in 8 bits a colour, of 10"]),
        ({"name": "a.mkv", "codec": "ffv1", "pixels": "bgra"}, []),
        ({"flags": "+ildct+ilme"}, ["interlaced: painted as whole frames; where lines show, deinterlace it first"]),
        ({}, []),
    ],
)
def test_what_is_not_kept_of_pictures_is_said(clip: Clip, tmp_path: Path, options: dict[str, Any], said: list[str]) -> None:
    source = clip(**options)
    assert render([source], tmp_path / "out.mp4", same)[1:] == [f"{source}: {line}" for line in said]


def test_transparency_that_is_lost_is_said(tmp_path: Path) -> None:
    source = tmp_path / "a.gif"
    frames = [Image.new("RGBA", (16, 16), (200, 10 * n, 0, 255)) for n in range(3)]
    frames[0].save(source, save_all=True, append_images=frames[1:])
    assert len(render([source], tmp_path / "out.mp4", same)) == 1
    frames[0].putpixel((3, 4), (0, 0, 0, 0))
    frames[0].save(source, save_all=True, append_images=frames[1:])
    assert render([source], tmp_path / "out.mp4", same)[1:] == [f"{source}: transparency left out"]


@pytest.mark.shared
def test_streams_that_are_left_out_are_said(shared: Path, tmp_path: Path) -> None:
    source = shared / "videos" / "nasa_13013.mp4"
    _, *notes = render([source], tmp_path / "out.mp4", same, (Fraction(0), Fraction("0.2")))
    assert notes == [
        "sound 1: copied (aac), cut at whole packets",
        "sound 2: copied (aac), cut at whole packets",
        f"{source}: left out 3 more streams (video, subtitles or data)",
    ]
