from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from datamodules.errors import DataError
from datamodules.shots import Shot, divide, shots
from datamodules.videos import Video

ROOT = Path("/videos")


@pytest.fixture
def some(record: Callable[..., Video]) -> Callable[..., list[Video]]:
    return lambda *lengths, **options: [record(ROOT / f"{n}.mp4", length, **options) for n, length in enumerate(lengths)]


@pytest.fixture
def uneven(record: Callable[..., Video]) -> Video:
    """Frames shown at 0, 10, 15, 40, 41, 42 and 100 hundredths of a second after 5 s."""
    ticks = [500, 510, 515, 540, 541, 542, 600]
    return record(ROOT / "a.mp4", 7, ticks=ticks, time_base=Fraction(1, 100))


def test_a_shot_at_its_own_rate_is_its_frames(uneven: Video) -> None:
    shot = Shot(uneven, 2, 6)
    assert shot.length == 4
    assert [shot.frame(place) for place in range(4)] == [2, 3, 4, 5]
    assert (shot.latest(1), shot.latest(3)) == (5, 3)


@pytest.mark.parametrize(
    ("rate", "first", "stop", "right"),
    [
        (10, 0, 7, [0, 1, 2, 2, 3, 5, 5, 5, 5, 5, 6]),  # at 0, 10, 20, ... hundredths
        (10, 2, 6, [2, 2, 2]),  # at 15, 25, 35; 45 is past the last frame, at 42
        (Fraction("0.5"), 0, 7, [0]),
        (100, 3, 6, [3, 4, 5]),
        (200, 3, 6, [3, 3, 4, 4, 5]),
        (Fraction(100, 3), 3, 6, [3]),
        (40, 0, 3, [0, 0, 0, 0, 1, 1, 2]),  # 7.5 is before 10, 15 is the frame at 15
    ],
)
def test_a_shot_at_another_rate_is_the_frames_shown_then(
    uneven: Video, rate: int | Fraction, first: int, stop: int, right: list[int]
) -> None:
    shot = Shot(uneven, first, stop, Fraction(rate))
    assert [shot.frame(place) for place in range(shot.length)] == right


def test_rates_are_exact_however_long_the_file(record: Callable[..., Video]) -> None:
    # 30000/1001 frames a second for eleven hours, read at the same rate and at half of it.
    video = record(ROOT / "a.mp4", 1_200_000, time_base=Fraction(1001, 30000))
    same = Shot(video, 7, 1_200_000, Fraction(30000, 1001))
    assert same.length == 1_199_993
    assert [same.frame(n) for n in (0, 999_999, 1_199_992)] == [7, 1_000_006, 1_199_999]
    assert Shot(video, 0, 1_200_000, Fraction(15000, 1001)).frame(599_999) == 1_199_998


@pytest.mark.parametrize("rate", [None, Fraction(10), Fraction(100), Fraction(7, 3)])
def test_latest_is_the_last_frame_that_leaves_enough(uneven: Video, rate: Fraction | None) -> None:
    for least in (1, 2, 3):
        enough = [first for first in range(7) if Shot(uneven, first, 7, rate).length >= least]
        assert Shot(uneven, 0, 7, rate).latest(least) == max(enough)
    assert Shot(uneven, 0, 7, rate).latest(500) < 0


def test_a_video_is_taken_apart_at_its_cuts(record: Callable[..., Video]) -> None:
    video = record(ROOT / "a.mp4", 50, cuts=(3, 20, 25, 48))
    parts = [(shot.first, shot.stop) for shot in shots(video, 1)]
    assert parts == [(0, 3), (3, 20), (20, 25), (25, 48), (48, 50)]
    assert [(shot.first, shot.stop) for shot in shots(video, 6)] == [(3, 20), (25, 48)]
    assert [(shot.first, shot.stop) for shot in shots(video, 2, None, 20, 27)] == [(20, 25), (25, 27)]
    assert shots(video, 2, None, 20, 20) == []
    half = Fraction(25, 2)
    assert [(shot.first, shot.stop, shot.rate) for shot in shots(video, 6, half)] == [(3, 20, half), (25, 48, half)]


def ranges(found: list[Shot]) -> list[tuple[str, int, int]]:
    return [(shot.video.path.name, shot.first, shot.stop) for shot in found]


def test_every_file_is_trained_on_or_validated_on_never_both(some: Callable[..., list[Video]]) -> None:
    videos = some(*[100] * 40, cuts=(50,))
    train, val = (ranges(divide(videos, split, 3, None, ROOT)) for split in ("train", "val"))
    assert len({name for name, *_ in val}) == 4
    assert len({name for name, *_ in train}) == 36
    assert sorted(train + val) == sorted((v.path.name, *part) for v in videos for part in ((0, 50), (50, 100)))
    assert {*ranges(divide(videos[::-1], "val", 3, None, ROOT))} == {*val}


def test_more_files_move_few_from_one_side_to_the_other(some: Callable[..., list[Video]]) -> None:
    before, after = ({name for name, *_ in ranges(divide(some(*[100] * n), "val", 3, None, ROOT))} for n in (40, 44))
    assert len(before ^ after) <= 4


def test_the_bulk_of_the_frames_is_trained_on(some: Callable[..., list[Video]]) -> None:
    for place in range(2):
        lengths = [10, 10]
        lengths[place] = 1000
        assert [shot.stop for shot in divide(some(*lengths), "train", 3, None, ROOT)] == [1000]


@pytest.mark.parametrize(
    ("frames", "cuts", "least", "train", "val"),
    [
        (200, (), 7, [(0, 180)], [(180, 200)]),
        (14, (), 7, [(0, 7)], [(7, 14)]),
        (200, (100,), 7, [(0, 100), (100, 180)], [(180, 200)]),
        (200, (185,), 7, [(0, 180)], [(185, 200)]),
        (200, (195,), 7, [(0, 180)], [(180, 195)]),  # the last five frames are of no use
        (200, (175, 196), 20, [(0, 175)], [(176, 196)]),
        (200, (10,), 30, [(10, 170)], [(170, 200)]),
    ],
)
def test_a_single_file_is_divided_in_time(
    some: Callable[..., list[Video]], frames: int, cuts: tuple[int, ...], least: int, train: object, val: object
) -> None:
    videos = some(frames, cuts=cuts)
    parts = [[(s.first, s.stop) for s in divide(videos, which, least, None, ROOT)] for which in ("train", "val")]
    assert parts == [train, val]


def test_a_single_file_is_divided_in_time_at_another_rate_too(some: Callable[..., list[Video]]) -> None:
    train, val = (divide(some(100), which, 7, Fraction(5), ROOT) for which in ("train", "val"))
    assert [(shot.first, shot.stop) for shot in train] == [(0, 69)]
    assert [shot.length for shot in val] == [7]


@pytest.mark.parametrize("cuts", [(), (4,)])
def test_a_single_file_too_short_to_be_divided_is_refused(some: Callable[..., list[Video]], cuts: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"/videos: expected several videos, or one .*, got one of 13 frames"):
        divide(some(13, cuts=cuts), "train", 7, None, ROOT)
