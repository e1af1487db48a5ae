from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from datamodules.errors import DataError
from datamodules.random import Draw
from datamodules.video_clips import VideoClips
from datamodules.video_folder import VideoFolder


@pytest.fixture
def style(tmp_path: Path) -> str:
    folder = tmp_path / "style"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 50, 3), dtype=np.uint8)).save(folder / "a.png")
    return str(folder)


def test_videos_of_many_sizes_come_in_one_batch(tmp_path: Path, video: Callable[..., Path], style: str) -> None:
    for number, size in enumerate([(32, 64), (64, 32), (16, 16), (48, 40)]):
        video(tmp_path / "videos" / f"{number}.mp4", range(9), size=size)
    data = VideoFolder(str(tmp_path / "videos"), style, size=(32, 24), frames=3, batch_size=2, workers=0)
    data.setup()
    batches = list(data.train_dataloader())
    assert len(batches) == 4, "three files of nine frames hold nine clips of three"
    for batch in [*batches, *data.val_dataloader()]:
        assert batch.content.frames.shape[1:] == batch.style.frames.shape[1:] == (3, 3, 36, 27)
        assert batch.content.frames.dtype == batch.style.frames.dtype == torch.uint8
        assert batch.content.flow is None
        assert batch.style.flow is not None


def test_files_validated_on_are_not_trained_on(tmp_path: Path, video: Callable[..., Path], style: str) -> None:
    for number in range(3):
        video(tmp_path / "videos" / f"{number}.mp4", range(9))
    data = VideoFolder(str(tmp_path / "videos"), style, size=(16, 16), stride=2)
    train, val = data.content_clips("train"), data.content_clips("val")
    assert isinstance(train, VideoClips)
    assert isinstance(val, VideoClips)
    files = [{shot.video.path.name for shot in source.shots} for source in (train, val)]
    assert files[0] | files[1] == {"0.mp4", "1.mp4", "2.mp4"}
    assert not files[0] & files[1]


def test_wrong_input_is_refused(tmp_path: Path, style: str) -> None:
    with pytest.raises(
        ValueError, match=r"stride must be >= 1, got 0; fps must be > 0, got -1; max_lost must be in \[0, 1\], got 2"
    ):
        VideoFolder(str(tmp_path), style, stride=0, fps=-1, max_lost=2)
    with pytest.raises(DataError, match="absent: expected a folder"):
        VideoFolder(str(tmp_path / "absent"), style).setup()


def test_rates_mean_what_is_written(style: str) -> None:
    assert VideoFolder("videos", style).rate is None
    assert VideoFolder("videos", style, fps=23.976).rate == Fraction(23976, 1000)
    assert VideoFolder("videos", style, fps=24).rate == 24


def test_a_rate_is_kept_whatever_the_files_have(
    tmp_path: Path, video: Callable[..., Path], style: str, read_numbers: Callable[[NDArray[np.uint8]], list[int]]
) -> None:
    for number in range(3):
        video(tmp_path / "videos" / f"{number}.mp4", range(50))  # 25 frames a second
    data = VideoFolder(str(tmp_path / "videos"), style, size=(32, 64), frames=4, stride=2, fps=10)
    source = data.content_clips("val")
    assert len(source) == 2, "20 places, 7 for a clip"
    clip = source.clip(Draw(0, 0, 1)).frames.permute(0, 2, 3, 1).numpy()
    assert read_numbers(clip) == [17, 22, 27, 32], "shown at 0.7, 0.9, 1.1 and 1.3 s"


def test_lost_files_are_counted_before_training(tmp_path: Path, video: Callable[..., Path], style: str) -> None:
    for number in range(2):
        video(tmp_path / "videos" / f"{number}.mp4", range(9))
    (tmp_path / "videos" / "ruin.mp4").write_bytes(b"ruin" * 100)
    VideoFolder(str(tmp_path / "videos"), style, max_lost=0.4).prepare_data()
    strict = VideoFolder(str(tmp_path / "videos"), style, max_lost=0.3)
    for start in (strict.prepare_data, strict.setup):
        with pytest.raises(DataError, match=r"at most 30% of the videos unreadable, got 1 of 3: ruin\.mp4"):
            start()


@pytest.mark.shared
def test_a_real_folder_with_awkward_and_broken_files_trains(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "videos").mkdir()
    for path in (shared / "videos").rglob("*.*"):
        if path.stat().st_size < 400_000:  # what is larger is ordinary, and takes its time
            (tmp_path / "videos" / path.name).symlink_to(path)
    said: list[str] = []
    monkeypatch.setattr("datamodules.video_index.say", said.append)
    data = VideoFolder(str(tmp_path / "videos"), str(shared / "styles"), size=(32, 32), frames=4, workers=0, batch_size=4)
    data.setup()
    assert len(said) == 1
    assert "16 of 28 videos usable" in said[0]
    for name in ("corrupted.mp4", "truncated_partial_file.mp4", "zero_length.webm", "rotation_90_one_frame.mp4"):
        assert name in said[0]
    for split in ("train", "val"):
        source = data.content_clips(split)
        assert isinstance(source, VideoClips)
        for first in [0, *source.ends[:-1]]:
            assert source.clip(Draw(0, 0, first)).frames.shape == (4, 3, 36, 36)
    assert next(iter(data.train_dataloader())).content.frames.shape == (4, 4, 3, 36, 36)
