"""Clips that fail: the same others in their place, one line for each, and an end when they are too many."""

from typing import Any

import cv2
import pytest
import torch

from datamodules.batch import Clips, Failure
from datamodules.errors import DataError
from datamodules.failures import ATTEMPTS, Failures, read
from datamodules.random import Draw


def test_a_good_clip_comes_as_it_is(numbered: Any) -> None:
    clip, number, failed = read(numbered(4), Draw(1, 2, 3), "content")
    assert torch.equal(clip.frames, numbered(4).clip(Draw(1, 2, 3)).frames)
    assert (number, failed) == (3, [])


def test_a_clip_that_fails_is_replaced_as_its_draw_decides(numbered: Any) -> None:
    source = numbered(50, broken=range(25))
    shown = {}
    for epoch in range(2):
        for index in range(25):
            draw = Draw(0, epoch, index)
            clip, number, failed = read(source, draw, "content")
            assert number >= 25
            assert torch.equal(clip.frames, source.clip(draw._replace(index=number)).frames)
            assert failed[0] == Failure("content", index, 50, f"film{index}.mp4", "expected a film, got none")
            again, same, _ = read(source, draw, "content")
            assert (same, again.frames.tolist()) == (number, clip.frames.tolist())
            shown[epoch, index] = number
    assert len(set(shown.values())) > 10, "spread over all others"
    assert any(shown[0, index] != shown[1, index] for index in range(25)), "and over epochs"
    assert any(read(source, Draw(0, 0, i), "style")[1] != shown[0, i] for i in range(25)), "and domains"


def test_when_nothing_can_be_read_it_ends(numbered: Any) -> None:
    with pytest.raises(DataError, match=f"content clips that can be read, got {ATTEMPTS} in a row") as caught:
        read(numbered(1000, broken=range(1000)), Draw(0, 0, 0), "content")
    assert "\n" not in str(caught.value)
    assert str(caught.value.path).startswith("film")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file", "lost.png"), RuntimeError("two\nlines"), EOFError("short"), cv2.error("odd")]
)
def test_whatever_decoders_raise_is_a_failure(numbered: Any, error: Exception) -> None:
    class Moody(numbered):
        def clip(self, draw: Draw) -> Clips:
            if draw.index == 1:
                raise error
            return super().clip(draw)

    _, number, (failure, *_) = read(Moody(5), Draw(0, 0, 1), "style")
    assert number != 1
    assert failure.path == ("lost.png" if isinstance(error, OSError) else "style clip 1")
    assert failure.reason.startswith(type(error).__name__)
    assert "\n" not in failure.reason


def test_a_mistake_in_a_program_is_no_failure(numbered: Any) -> None:
    class Wrong(numbered):
        def clip(self, draw: Draw) -> Clips:
            return Clips(None.shape)  # type: ignore[attr-defined]

    with pytest.raises(AttributeError):
        read(Wrong(5), Draw(0, 0, 1), "style")


def failure(number: int, domain: str = "content") -> Failure:
    return Failure(domain, number, 20, f"film{number}.mp4", "expected a film, got none")


def test_each_clip_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    failures = Failures(0.5)
    failures.take([failure(3), failure(4), failure(3)])
    failures.take([failure(4), failure(3, "style")])
    line = "film{}.mp4: expected a film, got none; another clip takes its place"
    assert capsys.readouterr().err.splitlines() == [line.format(3), line.format(4), line.format(3)]


def test_too_many_end_the_run() -> None:
    failures = Failures(0.1)
    for _ in range(50):
        failures.take([failure(3), failure(4), failure(3, "style"), failure(4, "style")])  # a tenth of each domain
    with pytest.raises(DataError, match=r"film5\.mp4: expected at most 10% of 20 content clips to fail, got 3 .* max_failed"):
        failures.take([failure(5)])


def test_a_limit_of_none_ends_it_at_the_first() -> None:
    with pytest.raises(DataError, match="at most 0%"):
        Failures(0).take([failure(0)])
    Failures(1).take([failure(number) for number in range(20)])
