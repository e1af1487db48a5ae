import ctypes
import gc
import multiprocessing
import os
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from datamodules.decode import OPEN_READERS, DecordReader, close_all, open_decord, read_frames, read_pictures
from datamodules.errors import DataError
from datamodules.frames import open_video
from datamodules.videos import Decoder, Video

Numbers = Callable[[NDArray[np.uint8]], list[int]]


DECODERS = pytest.mark.parametrize("decoder", ["decord", "pyav"])
Record = Callable[..., Video]


@DECODERS
def test_the_frames_asked_for_come(
    tmp_path: Path, video: Callable[..., Path], record: Record, read_numbers: Numbers, decoder: Decoder
) -> None:
    known = record(video(tmp_path / "a.mp4", g="6"), 24, decoder, time_base=Fraction(1, 25))
    for first, stride in ((17, 1), (3, 4), (20, 1), (0, 7), (11, 2)):
        frames = read_frames(known, range(first, 24, stride))
        assert read_numbers(frames) == list(range(first, 24, stride))
        assert frames.shape[1:] == (32, 64, 3)
        # Blue above the columns: the picture is upright and its colours are in the order RGB.
        assert frames[:, 8, :, 2].min() > 150
        assert frames[:, 8, :, :2].max() < 60
    assert read_numbers(read_frames(known, [5, 5, 9, 9, 9, 10])) == [5, 5, 9, 9, 9, 10]


@DECODERS
def test_a_missing_frame_is_an_error_and_harms_no_later_reading(
    tmp_path: Path, video: Callable[..., Path], record: Record, read_numbers: Numbers, decoder: Decoder
) -> None:
    known = record(video(tmp_path / "a.mp4", range(5)), 9, decoder)
    with pytest.raises(DataError, match=r"a\.mp4: expected frames \[3, 4, 5\], got 5 frames"):
        read_frames(known, [3, 4, 5])
    assert read_numbers(read_frames(known, [2, 3])) == [2, 3]


@DECODERS
def test_a_file_that_was_changed_or_removed_is_an_error(
    tmp_path: Path, video: Callable[..., Path], record: Record, decoder: Decoder
) -> None:
    known = record(video(tmp_path / "a.mp4", range(5)), 5, decoder)
    os.utime(known.path, ns=(0, 0))
    with pytest.raises(DataError, match=r"a\.mp4: expected the file as it was checked, got a changed one"):
        read_frames(known, [3])
    known.path.unlink()
    with pytest.raises(DataError, match=r"a\.mp4: expected a video, got No such file"):
        read_frames(known, [3])


def test_decord_refuses_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match=r"a\.mp4: expected a video that Decord opens"):
        DecordReader(tmp_path / "a.mp4")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files through /proc")
def test_few_files_stay_open_the_last_ones_used(tmp_path: Path, video: Callable[..., Path], record: Record) -> None:
    def opened() -> set[str]:
        here = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        return {path for path in here if str(tmp_path) in path}

    decoders = ("decord", "pyav")
    known = [record(video(tmp_path / f"{i}.mp4", range(3)), 3, decoders[i % 2]) for i in range(OPEN_READERS + 5)]
    for one in known:
        read_frames(known[0], [1])
        read_frames(one, [1])
    assert opened() == {str(one.path) for one in [known[0], *known[-OPEN_READERS + 1 :]]}
    close_all()
    assert not opened()


def test_decords_libraries_are_hidden_from_others(tmp_path: Path, video: Callable[..., Path]) -> None:
    open_decord(video(tmp_path / "a.mp4"))
    # Visible to all, its zlib of 2007 makes OpenCV and torchvision fail on PNG if they are loaded after it.
    assert not hasattr(ctypes.CDLL(None), "DECORDGetLastError")


class Reading(Dataset[list[list[int]]]):
    """Reads clips of several files: item i the frames from i mod 20 on."""

    def __init__(self, videos: list[Video]) -> None:
        self.videos = videos

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        if index < 2:
            gc.collect()  # once in each worker, as happens at any time
        return read_frames(self.videos[index % len(self.videos)], range(index % 20, index % 20 + 4))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_read_the_same_however_they_are_started(
    tmp_path: Path, video: Callable[..., Path], record: Record, read_numbers: Numbers, method: str
) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    known = [record(video(tmp_path / f"{i}.mp4", g="6"), 24, decoder) for i, decoder in enumerate(("decord", "pyav"))]
    dataset = Reading(known)
    right = [list(range(i % 20, i % 20 + 4)) for i in range(40)]
    assert [read_numbers(dataset[i]) for i in range(40)] == right
    # Time-outs turn a hang into a failure.
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method, timeout=60)
    assert [read_numbers(dataset[i]) for i in range(3)] == right[:3]
    gc.disable()  # so that what PyAV has left behind is still there
    try:
        with open_video(known[0].path) as opened:
            next(iter(opened))
        assert [read_numbers(np.asarray(frames)) for frames in loader] == right
    finally:
        gc.enable()
    assert [read_numbers(dataset[i]) for i in range(40)] == right


def sequence(folder: Path, length: int = 7, width: int = 20) -> NDArray[np.uint8]:
    folder.mkdir(parents=True)
    frames = np.random.default_rng(0).integers(256, size=(length, 12, width, 3), dtype=np.uint8)
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(folder / f"im{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return frames


@pytest.mark.parametrize("name", ["plain", "with space [1]", "100%d"])
def test_pictures_of_a_sequence_are_read_without_loss(tmp_path: Path, name: str) -> None:
    frames = sequence(tmp_path / name)
    for indices in (range(7), range(2, 5), [0, 3, 6]):
        assert np.array_equal(read_pictures(tmp_path / name, indices, 7), frames[list(indices)])


@pytest.mark.parametrize("width", [16, 24, 32, 48, 96])  # which Decord refuses to open
def test_small_pictures_of_any_width_are_read(width: int, tmp_path: Path) -> None:
    frames = sequence(tmp_path / "small", width=width)
    assert np.array_equal(read_pictures(tmp_path / "small", [0, 3, 6], 7), frames[[0, 3, 6]])


@pytest.mark.parametrize("width", [20, 32])
def test_a_damaged_picture_is_named(width: int, tmp_path: Path) -> None:
    sequence(tmp_path / "plain", width=width)
    third = tmp_path / "plain" / "im3.png"
    data = bytearray(third.read_bytes())
    data[len(data) // 2] ^= 255
    third.write_bytes(data)
    with pytest.raises(DataError, match=r"im3\.png: expected a picture"):
        read_pictures(tmp_path / "plain", [1, 2], 7)


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


@pytest.mark.shared
def test_a_fresh_reader_decodes_right_what_depends_on_the_first_frame(shared: Path) -> None:
    # Written by an x264 whose 4:4:4 needs to be decoded differently; only its first frame says so.
    path, number = shared / "videos" / "cockatoo.mp4", 77
    frame = open_decord(path).read([number])[0]
    with open_video(path) as opened:
        right = next(islice(opened, number, None)).rgb
    assert np.abs(frame[::4, ::4].astype(int) - right[::4, ::4]).mean() < 1.5
