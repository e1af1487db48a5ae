"""The frames that random reading returns are those FFmpeg's own tool shows at these places, whatever the file is like."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.decode import read_frames
from datamodules.errors import DataError
from datamodules.folder import VIDEOS, list_files
from datamodules.random import rng
from datamodules.video_check import check_video
from datamodules.videos import Video

THUMBNAIL = (64, 48)
FRAMES, WIDTH, HEIGHT = 120, 128, 64
SINGLE, CLIPS, CLIP = 60, 30, 7

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def ffmpeg(*arguments: str | Path, given: bytes = b"") -> bytes:
    command = ["ffmpeg", "-nostdin", "-y", "-v", "error", "-threads", "1", *map(str, arguments)]
    if given:
        command.remove("-nostdin")
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=120).stdout


def shown(path: Path) -> NDArray[np.int16]:
    """Small copies ``(N, 48, 64, 3)`` of the frames in the order FFmpeg's tool shows them."""
    size = "{}x{}".format(*THUMBNAIL)
    raw = ffmpeg(
        "-i",
        path.absolute(),
        "-an",
        "-fps_mode",
        "passthrough",
        "-s",
        size,
        "-sws_flags",
        "area+accurate_rnd",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, *THUMBNAIL[::-1], 3).astype(np.int16)


def small(frames: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.stack([cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA) for frame in frames]).astype(np.int16)


def _levelled(frames: NDArray[np.int16]) -> NDArray[np.float32]:
    """Without the mean of each colour, in which conversions to RGB differ, most of all in the dark."""
    return (frames - frames.mean(axis=(-3, -2), keepdims=True)).astype(np.float32)


def misread(video: Video, truth: NDArray[np.int16], margin: float) -> list[tuple[int, int]]:
    """(asked for, got) of the frames that look more like another frame than like the one asked for, by more than ``margin``."""
    draws, right = rng(0, "exactness", video.frames), _levelled(truth)
    reads = [[int(number)] for number in draws.integers(video.frames, size=SINGLE)]
    for first in draws.integers(max(1, video.frames - CLIP + 1), size=CLIPS):
        reads.append(list(range(int(first), min(int(first) + CLIP, video.frames))))
    wrong = []
    for numbers in reads:
        for number, frame in zip(numbers, small(read_frames(video, numbers)), strict=True):
            distance = np.abs(right - _levelled(frame)).mean(axis=(1, 2, 3))
            if distance[number] > distance.min() + margin:
                wrong.append((number, int(distance.argmin())))
    return wrong


# By what makes them awkward: file name, and how it is made of numbered pictures.
KINDS = {
    "open groups": ("a.mp4", "-c:v libx264 -bf 3 -x264-params open-gop=1:keyint=12:scenecut=0:b-adapt=0"),
    "periodic refresh": ("a.mp4", "-c:v libx264 -bf 0 -x264-params intra-refresh=1:keyint=12"),
    "x265": ("a.mp4", "-c:v libx265 -x265-params keyint=12:min-keyint=12:log-level=none:pools=1"),
    "x265 in Matroska": ("a.mkv", "-c:v libx265 -x265-params keyint=12:min-keyint=12:log-level=none:pools=1"),
    "transport stream": ("a.ts", "-c:v libx264 -g 12"),
    "transport stream, open groups": ("a.ts", "-c:v mpeg2video -q:v 2 -g 12 -bf 2"),
    "edit list": ("a.mp4", "-c:v libx264 -g 12 -bf 2"),
    "variable rate": ("a.mp4", r"-vf select='gt(mod(n\,5)\,1)' -fps_mode vfr -c:v libx264 -g 12"),
    "ten bits": ("a.mkv", "-c:v libx264 -pix_fmt yuv420p10le -g 12"),
    "AV1": ("a.mp4", "-c:v libaom-av1 -cpu-used 8 -g 12 -lag-in-frames 12"),
    "VP9 with hidden frames": ("a.webm", "-c:v libvpx-vp9 -cpu-used 8 -g 12 -auto-alt-ref 1 -lag-in-frames 12"),
    "rotated": ("a.mp4", "-c:v libx264 -g 12 -metadata:s:v rotate=90"),
    "odd size": ("a.webm", "-vf scale=127:63:flags=neighbor -c:v libvpx-vp9 -cpu-used 8 -g 12"),
    "odd size, full colour": ("a.mkv", "-vf scale=127:63:flags=neighbor -c:v libx264 -pix_fmt yuv444p -g 12"),
    "MPEG-4 in AVI": ("a.avi", "-c:v mpeg4 -q:v 2 -g 12 -bf 2"),
    "Flash": ("a.flv", "-c:v libx264 -g 12"),
    "Windows Media": ("a.wmv", "-c:v wmv2 -q:v 2 -g 12"),
    "animated GIF": ("a.gif", "-pix_fmt rgb8"),
    "closed groups": ("a.mp4", "-c:v libx264 -g 12 -bf 2"),
}
# Whatever is not named here may be read by either.
DECORD = {"closed groups", "variable rate", "odd size, full colour"}
PYAV_BY_JUMPS = {"open groups", "x265", "x265 in Matroska", "transport stream", "ten bits", "AV1"}


def made(folder: Path, kind: str, picture: Callable[[int], NDArray[np.uint8]]) -> Path:
    """A file of this kind."""
    raw = b"".join(cv2.resize(picture(n), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST).tobytes() for n in range(FRAMES))
    name, options = KINDS[kind]
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", "25", "-i", "-", "-pix_fmt", "yuv420p"]
    ffmpeg(*given, *shlex.split(options), folder / name, given=raw)
    if kind == "edit list":
        ffmpeg("-ss", "1.13", "-i", folder / name, "-c", "copy", folder / "cut.mp4")
        return folder / "cut.mp4"
    return folder / name


@needs_ffmpeg
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_files_are_read_right(tmp_path: Path, numbered_picture: Callable[[int], NDArray[np.uint8]], kind: str) -> None:
    path = made(tmp_path, kind, numbered_picture)
    truth, video = shown(path), check_video(path)
    assert video.frames == len(truth) > 70
    assert misread(video, truth, margin=0) == []
    if kind in DECORD:
        assert video.decoder == "decord"
    if kind in PYAV_BY_JUMPS:
        assert video.decoder == "pyav"
        assert len(video.entries) >= video.frames // 12 - 1, "it is not read from its beginning"


@needs_ffmpeg
@pytest.mark.shared
@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_real_files_are_read_right_or_named(shared: Path) -> None:
    refused = []
    for path in list_files(shared / "videos", VIDEOS):
        try:
            video = check_video(path)
        except DataError as error:
            refused.append(path.name)
            print(error)
            continue
        truth = shown(path)
        wrong = misread(video, truth, margin=0.3)
        print(path.name, video.decoder, video.frames, len(truth), wrong)
        assert video.frames == len(truth), path.name
        assert not wrong, path.name
    assert len(refused) == 5
