from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scenedetect.common import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from datamodules.cuts import CutFinder
from datamodules.frames import open_video

Frames = Sequence[NDArray[np.uint8]]
SHOTS = [17, 30, 12, 3, 40]  # frames


def cuts(frames: Frames) -> tuple[int, ...]:
    finder = CutFinder()
    for frame in frames:
        finder.add(frame)
    return finder.finish()


@cache
def texture(seed: int, height: int = 120, width: int = 1200) -> NDArray[np.uint8]:
    """Patches of colour with edges and grain."""
    draws = np.random.default_rng(seed)
    patches = draws.integers(256, size=(height // 20, width // 20, 3)).repeat(20, 0).repeat(20, 1)
    return (patches + draws.normal(0, 8, (height, width, 3))).clip(0, 255).astype(np.uint8)


def panned(seed: int, length: int, speed: int) -> Frames:
    """A camera that moves over a texture by so many pixels a frame; the picture is 160 wide."""
    return [texture(seed)[:, n * speed : n * speed + 160] for n in range(length)]


def joined(lengths: Sequence[int], speed: int = 1) -> Frames:
    return [frame for seed, length in enumerate(lengths) for frame in panned(seed, length, speed)]


def test_hard_cuts_are_found_to_the_frame() -> None:
    assert cuts(joined(SHOTS)) == tuple(accumulate(SHOTS))[:-1]


def test_what_pyscenedetect_calls_a_cut_is_one() -> None:
    frames = [frame for speed in (0, 1, 3, 9) for frame in joined(SHOTS, speed)]
    detector = AdaptiveDetector(min_scene_len=1)
    theirs = [
        c.frame_num
        for n, frame in enumerate(frames)
        for c in detector.process_frame(FrameTimecode(n, fps=25.0), frame[:, :, ::-1])
    ]
    assert set(theirs) <= set(cuts(frames)) <= set(accumulate(4 * SHOTS))
    assert len(theirs) > 10


def test_the_measure_is_pyscenedetects() -> None:
    ours, theirs = CutFinder(), ContentDetector()
    for n, frame in enumerate(joined(SHOTS)):
        ours.add(frame)
        theirs.process_frame(FrameTimecode(n, fps=25.0), frame[:, :, ::-1])
        assert ours._scores[-1] == theirs._frame_score


def test_shots_of_a_single_frame_are_found() -> None:
    lengths = [20, 1, 20, 2, 20]
    assert cuts(joined(lengths)) == tuple(accumulate(lengths))[:-1]


@pytest.mark.parametrize("first", [1, 2])
def test_cuts_next_to_the_ends_are_found(first: int) -> None:
    assert cuts(joined([first, 30, first])) == (first, first + 30)


def test_cuts_between_stills_are_found() -> None:
    assert cuts(joined([10, 10, 10], speed=0)) == (10, 20)


@pytest.mark.parametrize("speed", [0, 4, 16, 24])
def test_a_pan_is_no_cut_however_fast(speed: int) -> None:
    assert cuts(panned(0, 40, speed)) == ()


def test_a_fade_is_no_cut() -> None:
    scene = panned(0, 60, 2)
    bright = np.concatenate([np.linspace(0, 1, 20), np.ones(20), np.linspace(1, 0, 20)])
    # From and to full black the hue jumps.
    assert set(cuts([(frame * share).astype(np.uint8) for frame, share in zip(scene, bright, strict=True)])) <= {1, 59}


def test_a_dissolve_is_no_cut() -> None:
    shares = np.clip((np.arange(60) - 20) / 20, 0, 1)
    pairs = zip(panned(0, 60, 2), panned(1, 60, 2), shares, strict=True)
    assert cuts([(a * (1 - share) + b * share).astype(np.uint8) for a, b, share in pairs]) == ()


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_cuts_at_its_own_frames_if_anywhere(length: int) -> None:
    scene = panned(0, 50, 1)
    for n in range(length):
        scene[20 + n] = np.full_like(scene[0], 255)
    assert set(cuts(scene)) <= {20, 20 + length}


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_few_frames_are_no_matter(length: int) -> None:
    assert cuts(panned(0, length, 3)) == ()


def test_large_and_tiny_pictures_give_the_same() -> None:
    frames = joined([10, 12])
    assert cuts([frame.repeat(6, 0).repeat(6, 1) for frame in frames]) == (10,)
    assert cuts([np.full((1, 1, 3), 250 * (n > 4), np.uint8) for n in range(9)]) == (5,)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "right"),
    [
        # As seen by a person.
        ("bikes.mp4", (30, 76, 137, 187, 242)),
        ("cutBunny.mp4", (235,)),
        ("nasa_13013.mp4", (150, 240)),  # at 150 a dissolve begins
        ("basketball.mp4", ()),  # a fast pan
        ("carphone_distorted.mp4", ()),
    ],
)
def test_cuts_of_real_videos(shared: Path, name: str, right: tuple[int, ...]) -> None:
    with open_video(shared / "videos" / name, "best") as video:
        assert cuts([frame.rgb for frame in video]) == right
