from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fit import stream
from fit.stream import (
    MOST_SOUND,
    AnySize,
    from_device,
    in_groups,
    load_paint,
    mirrored,
    repaint,
    to_bytes,
    to_device,
    to_numbers,
)
from fit.timeline import Event, Frame, Sound


def frames(count: int, height: int = 6, width: int = 9) -> list[Frame]:
    rng = np.random.default_rng(count)
    rgb = rng.integers(0, 256, (count, height, width, 3)).astype(np.uint8)
    return [Frame(Fraction(n, 25), Fraction(1, 25), picture) for n, picture in enumerate(rgb)]


def sound(track: int = 0) -> Sound:
    packet: Any = None
    return Sound(track, packet, Fraction(0))


@pytest.mark.parametrize("length", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [7, 16, 33])
def test_mirrored_is_numpys_reflection(length: int, size: int) -> None:
    row = np.arange(length)
    expected = np.pad(row, (0, size - length), mode="reflect" if length > 1 else "edge")
    assert mirrored(length, size).tolist() == expected.tolist()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50), (16, 16), (17, 31), (16, 20)])
def test_the_network_sees_sizes_it_takes_and_the_caller_those_it_gave(height: int, width: int) -> None:
    seen: list[tuple[int, ...]] = []

    def paint(batch: Tensor) -> Tensor:
        seen.append(tuple(batch.shape))
        return batch.flip(1)

    given = torch.rand(2, 3, height, width)
    painted = AnySize(paint, 4, 16)(given)
    assert torch.equal(painted, given.flip(1))
    assert all(side % 4 == 0 and side >= 16 for side in seen[0][-2:])
    assert all(side - max(16, own) < 4 for side, own in zip(seen[0][-2:], (height, width), strict=True))


def test_a_fitting_frame_reaches_the_network_untouched() -> None:
    given = torch.rand(1, 3, 16, 24)
    reached: list[Tensor] = []
    AnySize(lambda batch: reached.append(batch) or batch, 8, 8)(given)  # type: ignore[func-returns-value]
    assert torch.equal(reached[0], given)


def test_pixels_reach_the_network_in_its_range_and_come_back_exactly() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    reached: list[Tensor] = []
    given = [Frame(Fraction(0), Fraction(1), every)]
    (painted,) = repaint(given, lambda batch: reached.append(batch) or batch)  # type: ignore[func-returns-value]
    assert isinstance(painted, Frame)
    assert np.array_equal(painted.pixels, every)
    assert (reached[0].amin().item(), reached[0].amax().item(), reached[0].dtype) == (-1, 1, torch.float32)


def test_to_bytes_clips_and_rounds() -> None:
    values = torch.tensor([-3.0, -1, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 1, 3]).reshape(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_bytes(values)[0, 0, :, 0].tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
def test_batches_do_not_change_what_comes_out(batch: int) -> None:
    given = frames(7)
    painted = list(repaint(given, lambda x: x.flip(1), batch))
    assert [frame.time for frame in painted if isinstance(frame, Frame)] == [frame.time for frame in given]
    for before, after in zip(given, painted, strict=True):
        assert isinstance(after, Frame)
        assert np.array_equal(after.pixels, before.pixels[..., ::-1])


def test_at_most_a_batch_of_frames_is_held_and_sound_passes() -> None:
    given: list[Event] = [sound(0), *frames(5), sound(1), *frames(2)]
    taken = 0

    def counted() -> Any:
        nonlocal taken
        for taken, event in enumerate(given, 1):  # noqa: B007
            yield event

    came = []
    for event in repaint(counted(), lambda x: x, batch=3):
        came.append(event)
        assert taken - len(came) <= 3
    assert len(came) == len(given)
    assert [event.track for event in came if isinstance(event, Sound)] == [0, 1]


def test_frames_of_two_sizes_are_not_put_in_one_batch() -> None:
    given = [*frames(2), *frames(3, 4, 4), *frames(1)]
    sizes: list[int] = []
    painted = list(repaint(given, lambda x: sizes.append(len(x)) or x, batch=4))  # type: ignore[func-returns-value]
    assert sizes == [2, 3, 1]
    assert [frame.pixels.shape for frame in painted if isinstance(frame, Frame)] == [frame.pixels.shape for frame in given]


def test_load_paint_asks_the_checkpoints_method(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Method(torch.nn.Module):
        size_multiple, min_size = 4, 8

        def stylize(self, batch: Tensor) -> Tensor:
            assert batch.shape[-2:] == (8, 12)
            assert not self.training
            return -batch

        def stylizer(self) -> str:
            return "its network"

    asked: list[tuple[Path, str]] = []

    def load(path: Path, map_location: str) -> Method:
        asked.append((path, map_location))
        return Method()

    monkeypatch.setattr(stream, "load_method", load)
    given = torch.rand(1, 3, 5, 9)
    paint = load_paint(tmp_path / "x.ckpt")
    assert torch.equal(paint(given), -given)
    assert paint.network == "its network"  # type: ignore[attr-defined]
    assert asked == [(tmp_path / "x.ckpt", "cpu")]


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_workers_do_not_change_what_comes_out(workers: int) -> None:
    given = [sound(0), *frames(4), sound(1), *frames(3), *frames(3, 4, 4), sound(2)]
    painted = list(repaint(given, lambda x: x.flip(1), 2, workers=workers))
    for before, after in zip(given, painted, strict=True):
        assert type(after) is type(before)
        if isinstance(before, Frame) and isinstance(after, Frame):
            assert after.time == before.time
            assert np.array_equal(after.pixels, before.pixels[..., ::-1])
        else:
            assert after is before


def test_a_lone_frame_is_neither_copied_nor_changed_on_its_way_to_the_network() -> None:
    picture = frames(1)[0].pixels
    numbers = to_numbers(to_device([picture]))
    assert numbers.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(from_device(to_bytes(numbers))[0], picture)
    numbers.zero_()
    assert np.array_equal(picture, frames(1)[0].pixels)


def test_much_sound_does_not_wait_for_frames() -> None:
    groups = list(in_groups([*[sound()] * 200, *frames(3), *[sound()] * 10], 2))
    assert max(len(group) for group in groups) <= MOST_SOUND + 2
    assert sum(len(group) for group in groups) == 213
    assert [sum(isinstance(event, Frame) for event in group) for group in groups][-2:] == [2, 1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_gpu_paints_what_a_cpu_paints(workers: int) -> None:
    given = frames(9)
    painted = list(repaint(given, lambda x: x.flip(1), 2, "cuda", workers))
    came = [frame.pixels for frame in painted if isinstance(frame, Frame)]
    assert np.array_equal(came, [frame.pixels[..., ::-1] for frame in given])
