import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from datamodules.decode import OPEN_READERS, Decoder, DecordReader, read_frames, read_pictures
from datamodules.errors import DataError

Numbers = Callable[[NDArray[np.uint8]], list[int]]


@pytest.mark.parametrize("decoder", ["decord", "in order"])
def test_the_frames_asked_for_come(tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, decoder: Decoder) -> None:
    path = video(tmp_path / "a.mp4", g="6")
    for first, stride in ((17, 1), (3, 4), (20, 1), (0, 7), (11, 2)):
        frames = read_frames(path, range(first, 24, stride), decoder)
        assert read_numbers(frames) == list(range(first, 24, stride))
        assert frames.shape[1:] == (32, 64, 3)
        # Blue above the columns: the picture is upright and its colours are in the order RGB.
        assert frames[:, 8, :, 2].min() > 150
        assert frames[:, 8, :, :2].max() < 60


@pytest.mark.parametrize("decoder", ["decord", "in order"])
def test_a_missing_frame_is_an_error_and_harms_no_later_reading(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers, decoder: Decoder
) -> None:
    path = video(tmp_path / "a.mp4", range(5))
    with pytest.raises(DataError, match=r"a\.mp4: expected frames \[3, 4, 5\], got 5 frames"):
        read_frames(path, [3, 4, 5], decoder)
    assert read_numbers(read_frames(path, [2, 3], decoder)) == [2, 3]


def test_decord_refuses_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match=r"a\.mp4: expected a video that Decord opens"):
        DecordReader(tmp_path / "a.mp4")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files through /proc")
def test_few_files_stay_open(tmp_path: Path, video: Callable[..., Path]) -> None:
    paths = [video(tmp_path / f"{i}.mp4", range(3)) for i in range(OPEN_READERS + 5)]
    for path in paths:
        read_frames(path, [1], "decord")
    here = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert 1 <= sum(str(tmp_path) in path for path in here) <= OPEN_READERS


def test_decords_libraries_are_hidden_from_others(tmp_path: Path, video: Callable[..., Path]) -> None:
    read_frames(video(tmp_path / "a.mp4"), [1], "decord")
    # Visible to all, its zlib of 2007 makes OpenCV and torchvision fail on PNG if they are loaded after it.
    assert not hasattr(ctypes.CDLL(None), "DECORDGetLastError")


class Reading(Dataset[list[int]]):
    """Reads clips of several files: item i the frames from i mod 20 on."""

    def __init__(self, paths: list[Path], read_numbers: Numbers) -> None:
        self.paths, self.read_numbers = paths, read_numbers

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> list[int]:
        if index < 2:
            gc.collect()  # once in each worker, as happens at any time
        frames = read_frames(self.paths[index % len(self.paths)], range(index % 20, index % 20 + 4), "decord")
        return self.read_numbers(frames)


@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_readers_open_before_a_fork_do_not_hang_the_workers(
    tmp_path: Path, video: Callable[..., Path], read_numbers: Numbers
) -> None:
    paths = [video(tmp_path / f"{i}.mp4", g="6") for i in range(2)]
    dataset = Reading(paths, read_numbers)
    right = [list(range(i % 20, i % 20 + 4)) for i in range(40)]
    assert [dataset[i] for i in range(40)] == right
    # Time-outs turn a hang into a failure.
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=20)
    assert [dataset[i] for i in range(3)] == right[:3]
    gc.disable()  # so that what PyAV has left behind is still there
    try:
        assert read_numbers(read_frames(paths[0], [3], "in order")) == [3]
        assert list(loader) == right
    finally:
        gc.enable()
    assert [dataset[i] for i in range(40)] == right


def sequence(folder: Path, length: int = 7) -> NDArray[np.uint8]:
    folder.mkdir(parents=True)
    frames = np.random.default_rng(0).integers(256, size=(length, 12, 20, 3), dtype=np.uint8)
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(folder / f"im{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return frames


@pytest.mark.parametrize("name", ["plain", "with space [1]", "100%d"])
def test_pictures_of_a_sequence_are_read_without_loss(tmp_path: Path, name: str) -> None:
    frames = sequence(tmp_path / name)
    for indices in (range(7), range(2, 5), [0, 3, 6]):
        assert np.array_equal(read_pictures(tmp_path / name, indices, 7), frames[list(indices)])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("plain", kind) for kind in ("missing", "before the first", "one too many", "empty", "cut")]
    + [("100%d", kind) for kind in ("missing", "empty", "cut")],
)
def test_a_spoilt_sequence_is_an_error(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / name
    sequence(folder)
    fourth = folder / "im4.png"
    data = fourth.read_bytes()
    if kind == "missing":
        fourth.unlink()
    elif kind in ("before the first", "one too many"):
        (folder / ("im0.png" if kind == "before the first" else "im8.png")).write_bytes(data)
    else:
        fourth.write_bytes(data[: 0 if kind == "empty" else len(data) // 2])
    with pytest.raises(DataError, match=name):
        read_pictures(folder, range(7), 7)


@pytest.mark.shared
def test_real_sequences_equal_opencv(shared: Path) -> None:
    folder = shared / "vimeo_septuplet" / "sequences" / "00011" / "0152"
    frames = read_pictures(folder, [1, 2, 5], 7)
    for frame, number in zip(frames, (2, 3, 6), strict=True):
        assert np.array_equal(frame, cv2.imread(str(folder / f"im{number}.png"), cv2.IMREAD_COLOR_RGB))
