import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.errors import DataError
from datamodules.frames import VideoInfo, open_video
from fit.timeline import Frame, play
from fit.video import CONTAINERS, VideoWriter, check_writable, clock_of, container_of

Clip = Callable[..., Path]
UNEVEN = [Fraction(n, 1000) for n in (0, 40, 200, 240, 280, 1000)]


def copy(path: Path, output: Path, crf: int | None = 5) -> Path:
    with open_video(path) as reader, VideoWriter(output, [reader], crf) as writer:
        for event in play([reader], writer.target):
            writer.write(event)
    return output


def shown(path: Path) -> list[tuple[Fraction, Fraction]]:
    """Time and duration of each frame, read by PyAV alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(f.pts * stream.time_base, f.duration * stream.time_base) for f in container.decode(stream)]


def nothing_left(folder: Path) -> bool:
    return not [path for path in folder.iterdir() if ".part" in path.name]


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm", ".gif"])
def test_uneven_times_and_the_last_duration_are_kept(clip: Clip, tmp_path: Path, extension: str) -> None:
    out = copy(clip(times=UNEVEN, last=Fraction(1, 2)), tmp_path / f"o{extension}")
    assert [time for time, _ in shown(out)] == UNEVEN
    assert shown(out)[-1][1] == Fraction(1, 2)
    with av.open(str(out)) as container:
        # Stored out of order, the durations of MP4 would add up to another length than is shown.
        assert all(packet.pts == packet.dts for packet in container.demux())


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".webm"])
def test_one_frame_lasts_as_long_as_it_did(clip: Clip, tmp_path: Path, extension: str) -> None:
    out = copy(clip(times=[Fraction(0)], last=Fraction(2)), tmp_path / f"o{extension}")
    assert shown(out) == [(0, 2)]


def test_ntsc_times_are_exact_in_mp4(clip: Clip, tmp_path: Path) -> None:
    times = [Fraction(1001 * n, 30000) for n in range(30)]
    assert [time for time, _ in shown(copy(clip(times=times, last=times[1]), tmp_path / "o.mp4"))] == times


@pytest.mark.parametrize("size", [(1, 1), (31, 47), (30, 47), (31, 48), (2, 2), (30, 48)])
@pytest.mark.parametrize("extension", [".mp4", ".webm", ".gif"])
def test_sizes_come_out_as_they_went_in(clip: Clip, tmp_path: Path, size: tuple[int, int], extension: str) -> None:
    out = copy(clip(size=size, pixels="yuv444p", times=[Fraction(0), Fraction(1)]), tmp_path / f"o{extension}")
    with open_video(out) as reader:
        assert (reader.info.height, reader.info.width) == size


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p"])
def test_chroma_resolution_is_kept(clip: Clip, tmp_path: Path, pixels: str) -> None:
    with open_video(copy(clip(pixels=pixels), tmp_path / "o.mp4")) as reader:
        assert reader.info.pixel_format == pixels


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (1, 2, 1, 13), (6, 1, 6, 6), (2, 0, 2, 2), (2, 1, 2, 2), (9, 1, 9, 16)])
@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov"])
def test_colours_and_their_tags_are_kept(
    clip: Clip, tmp_path: Path, pixels: str, tags: tuple[int, int, int, int], extension: str
) -> None:
    source = clip("in.mkv", pixels=pixels, tags=tags, size=(64, 64))
    out = copy(source, tmp_path / f"o{extension}")
    with open_video(source) as before, open_video(out) as after:
        assert after.info.colour == before.info.colour
        assert (before.info.colour.matrix, before.info.colour.range) == tags[:2]
        for a, b in zip(before, after, strict=True):
            assert np.abs(a.rgb.astype(int) - b.rgb)[:, 24:].mean() < 2.5


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov"])
def test_pixel_aspect_is_kept(clip: Clip, tmp_path: Path, extension: str) -> None:
    with open_video(copy(clip(aspect=Fraction(16, 11)), tmp_path / f"o{extension}")) as reader:
        assert reader.info.pixel_aspect == Fraction(16, 11)


def test_where_pixels_must_be_square_the_shape_is_kept(clip: Clip, tmp_path: Path) -> None:
    with open_video(copy(clip(aspect=Fraction(3, 2)), tmp_path / "o.webm")) as reader:
        assert (reader.info.width, reader.info.height, reader.info.pixel_aspect) == (96, 48, 1)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotation_is_carried_out(clip: Clip, tmp_path: Path, rotation: int) -> None:
    source = clip(rotation=rotation, aspect=Fraction(4, 3))
    out = copy(source, tmp_path / "o.mp4")
    with av.open(str(source)) as container:  # counter-clockwise, as numpy's rot90
        upright = np.rot90(next(container.decode(video=0)).to_ndarray(format="rgb24"), rotation // 90)
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 0
        assert container.streams.video[0].sample_aspect_ratio == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - upright).mean() < 4


def test_smaller_frames_stand_in_the_middle_on_black(clip: Clip, tmp_path: Path) -> None:
    with (
        open_video(clip("a.mp4")) as a,
        open_video(clip("b.mp4", size=(48, 48), first=40)) as b,
        VideoWriter(tmp_path / "o.mp4", [a, b], 5) as writer,
    ):
        for event in play([a, b], writer.target):
            writer.write(event)
    with open_video(tmp_path / "o.mp4") as reader:
        last = list(reader)[-1].rgb
    assert last.shape == (48, 64, 3)
    assert max(last[:, :6].max(), last[:, -6:].max()) < 30
    assert last[30:, 30:50].min() > 150


def test_gif_colours_are_close(clip: Clip, tmp_path: Path) -> None:
    source = clip()
    with open_video(source) as before, open_video(copy(source, tmp_path / "o.gif")) as after:
        for a, b in zip(before, after, strict=True):
            assert np.abs(a.rgb.astype(int) - b.rgb).mean() < 4


def test_frames_the_clock_cannot_tell_apart_are_refused(clip: Clip, tmp_path: Path) -> None:
    source = clip(times=[Fraction(n, 300) for n in range(5)])
    with pytest.raises(DataError, match=r"0\.01 s apart, as \.gif counts time.*write \.mp4 or \.mkv"):
        copy(source, tmp_path / "o.gif")
    assert nothing_left(tmp_path)
    assert not (tmp_path / "o.gif").exists()


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_things_as_they_were(clip: Clip, tmp_path: Path, failure: type[BaseException]) -> None:
    source, out = clip(), tmp_path / "o.mp4"
    out.write_bytes(b"what was there before")

    def fail_half_way() -> None:
        with open_video(source) as reader, VideoWriter(out, [reader]) as writer:
            for event in play([reader], writer.target):
                writer.write(event)
                assert out.read_bytes() == b"what was there before"
                if writer.frames == 5:
                    raise failure

    with pytest.raises(failure):
        fail_half_way()
    assert nothing_left(tmp_path)
    assert out.read_bytes() == b"what was there before"


def test_success_replaces_what_was_there(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_bytes(b"what was there before")
    assert len(shown(copy(clip(), tmp_path / "o.mp4"))) == 10
    assert nothing_left(tmp_path)


def test_crf_trades_size_for_quality(clip: Clip, tmp_path: Path) -> None:
    sizes = [copy(clip(), tmp_path / f"{crf}.mp4", crf).stat().st_size for crf in (0, 30)]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("name", ["o.xyz", "o", "o.avi"])
def test_unknown_endings_are_refused_with_those_known(name: str) -> None:
    with pytest.raises(DataError, match=r"\.mp4, \.m4v, \.mov, \.mkv, \.webm, \.gif"):
        container_of(Path(name))


def test_endings_may_be_upper_case_and_folders_must_be_there(tmp_path: Path) -> None:
    assert container_of(tmp_path / "O.MP4") == CONTAINERS[".mp4"]
    with pytest.raises(DataError, match="no such folder"):
        container_of(tmp_path / "nowhere" / "o.mp4")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc, where root cannot write either")
def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a folder to write in, got .*choose another"):
        check_writable(Path("/proc/o.mp4"))
    check_writable(tmp_path / "o.mp4")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("bases", "expected"), [(["1/90000"], 90000), (["1001/30000"], 30000), (["1/90000", "1/12800"], 2880000),
                            (["1/90000", "1/14112001"], 90000)])  # fmt: skip
def test_the_clock_counts_every_inputs_ticks(clip: Clip, bases: Sequence[str], expected: int) -> None:
    with open_video(clip()) as reader:
        info = reader.info
    infos = [VideoInfo(**{**vars(info), "time_base": Fraction(base)}) for base in bases]
    assert clock_of(CONTAINERS[".mp4"], infos) == Fraction(1, expected)


def test_painted_frames_are_the_ones_written(
    clip: Clip, tmp_path: Path, frame_number: Callable[[NDArray[np.uint8]], int]
) -> None:
    with open_video(copy(clip(), tmp_path / "o.mp4")) as reader:
        assert [frame_number(frame.rgb) for frame in reader] == list(range(10))


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("seconds", [0.2, 0.27, 0.33])
def test_an_interruption_between_frames_or_within_one_loses_none_before_it(clip: Clip, tmp_path: Path, seconds: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 240, 320, 3), np.uint8)  # most of the time is spent in the encoder
    with open_video(clip(size=(240, 320))) as reader, VideoWriter(tmp_path / "o.mp4", [reader]) as writer:
        writer.write(Frame(Fraction(0), Fraction(1, 25), noise[0]))
        with interrupted_after(seconds):
            for n in count(1):
                writer.write(Frame(Fraction(n, 25), Fraction(1, 25), noise[n % 4]))
    times = [time for time, _ in shown(tmp_path / "o.mp4")]
    assert times == [Fraction(n, 25) for n in range(len(times))]
    assert 0 <= len(times) - writer.frames <= 1
