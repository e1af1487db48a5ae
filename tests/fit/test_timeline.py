from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.frames import VideoReader, open_video
from fit.timeline import Event, Frame, Sound, fit_inside, look_through, play

Clip = Callable[..., Path]


def run(paths: list[Path], start: Fraction = Fraction(0), end: Fraction | None = None) -> tuple[list[Event], list[VideoReader]]:
    with ExitStack() as stack:
        readers = [stack.enter_context(open_video(path)) for path in paths]
        return list(play(readers, readers[0].info, (start, end))), readers


def times(events: list[Event]) -> list[Fraction]:
    return [event.time for event in events if isinstance(event, Frame)]


def test_one_file_keeps_its_times_from_its_beginning_on(clip: Clip) -> None:
    # Beginning at 7 s, as recordings of broadcasts do.
    late = [Fraction(7) + t for t in (Fraction(0), Fraction(1, 30), Fraction(1, 2))]
    events, _ = run([clip("a.ts", times=late)])
    assert times(events) == [t - late[0] for t in late]


def test_sound_keeps_its_place_under_the_picture(clip: Clip) -> None:
    # The picture begins half a second after the sound.
    path = clip("a.ts", times=[Fraction(1, 2), Fraction(3, 4)], sound=["mp2"])
    with open_video(path) as reader:
        picture, *_ = [frame.time for frame in reader]
        begins = reader.info.start
    events, _ = run([path])
    first = next(event for event in events if isinstance(event, Sound))
    heard = first.packet.pts * first.packet.time_base + first.shift
    assert times(events)[0] == picture - begins
    assert times(events)[0] - heard == pytest.approx(Fraction(1, 2), abs=0.03)  # the encoder's own delay


def test_files_follow_one_another(clip: Clip, frame_number: Callable[[NDArray[np.uint8]], int]) -> None:
    a, b = clip("a.mp4", times=[Fraction(0), Fraction(1)], last=Fraction(1, 2)), clip("b.mkv", first=30)
    events, _ = run([a, b, a])
    assert times(events) == [0, 1, *(Fraction(3, 2) + Fraction(n, 25) for n in range(10)), Fraction(19, 10), Fraction(29, 10)]
    assert [frame_number(e.pixels) for e in events if isinstance(e, Frame)] == [0, 1, *range(30, 40), 0, 1]


def test_the_next_file_waits_for_sound_that_outlasts_the_picture(clip: Clip) -> None:
    a = clip("a.mkv", times=[Fraction(0)], last=Fraction(1, 25), sound=["aac"], rate=8000)  # one packet is 0.128 s
    events, readers = run([a, a])
    assert times(events)[1] >= Fraction(1024, 8000)
    assert len([e for e in events if isinstance(e, Sound)]) % 2 == 0
    assert {e.track for e in events if isinstance(e, Sound)} == {0}
    assert len(readers) == 2


@pytest.mark.parametrize(("start", "end"), [("0.1", "0.3"), ("0.12", "0.28"), ("0", "0.04"), ("0.2", None), ("0.05", "9")])
def test_cuts_are_exact_to_the_frame(
    clip: Clip, start: str, end: str | None, frame_number: Callable[[NDArray[np.uint8]], int]
) -> None:
    first, last = Fraction(start), None if end is None else Fraction(end)
    events, _ = run([clip()], first, last)
    kept = [n for n in range(10) if first <= Fraction(n, 25) < (last or 1)]
    assert [frame_number(e.pixels) for e in events if isinstance(e, Frame)] == kept
    assert times(events) == [Fraction(n, 25) - first for n in kept]


def test_looking_through_counts_what_would_be_played(clip: Clip) -> None:
    with open_video(clip("a.mp4")) as a, open_video(clip("b.mkv", sound=["aac"])) as b:
        seen = list(look_through([a, b], (Fraction("0.1"), Fraction("0.6"))))
    assert [frame.time for frame in seen] == [Fraction(n, 25) for n in (*range(3, 10), *range(5))]


def test_sound_is_cut_in_whole_packets(clip: Clip) -> None:
    path = clip(times=[Fraction(n, 5) for n in range(20)], sound=["aac"])
    events, _ = run([path], Fraction(1), Fraction(2))
    heard = [e.packet.pts * e.packet.time_base + e.shift for e in events if isinstance(e, Sound)]
    packet = Fraction(1024, 44100)
    assert 0 <= heard[0] < packet
    assert 1 - packet <= heard[-1] < 1
    assert len(heard) in (43, 44)  # a second is 43.07 packets


def test_nothing_is_read_far_past_the_end(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    whole = VideoReader.events

    def counted(self: VideoReader) -> object:
        nonlocal read
        for event in whole(self):
            read += 1
            yield event

    monkeypatch.setattr(VideoReader, "events", counted)
    run([clip(times=[Fraction(n, 25) for n in range(200)])], end=Fraction(1))
    assert read == 26


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((96, 128), "1", (48, 64, 3)),  # twice the target's
        ((96, 96), "1", (48, 48, 3)),  # narrower: full height
        ((20, 80), "1", (16, 64, 3)),  # wider: full width
        ((48, 64), "2", (24, 64, 3)),  # pixels twice as wide as high
        ((2, 400), "1", (1, 64, 3)),  # never vanishes
    ],
)
def test_other_sizes_are_fitted_inside_with_their_shape_kept(
    clip: Clip, size: tuple[int, int], aspect: str, expected: tuple[int, int, int]
) -> None:
    with open_video(clip("target.mp4")) as target, open_video(clip("a.mp4", size=size, aspect=Fraction(aspect))) as own:
        rgb = next(iter(own)).rgb
        assert fit_inside(rgb, own.info, target.info).shape == expected
