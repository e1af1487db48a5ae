from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
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
    files = [{stretch.video.path.name for stretch in source.stretches} for source in (train, val)]
    assert files[0] | files[1] == {"0.mp4", "1.mp4", "2.mp4"}
    assert not files[0] & files[1]


def test_wrong_input_is_refused(tmp_path: Path, style: str) -> None:
    with pytest.raises(ValueError, match="stride must be >= 1, got 0"):
        VideoFolder(str(tmp_path), style, stride=0)
    with pytest.raises(DataError, match="absent: expected a folder"):
        VideoFolder(str(tmp_path / "absent"), style).setup()


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
    assert "18 of 28 videos usable" in said[0]
    for name in ("corrupted.mp4", "truncated_partial_file.mp4", "zero_length.webm", "rotation_90_one_frame.mp4"):
        assert name in said[0]
    for split in ("train", "val"):
        source = data.content_clips(split)
        assert isinstance(source, VideoClips)
        for first in [0, *source.ends[:-1]]:
            assert source.clip(Draw(0, 0, first)).frames.shape == (4, 3, 36, 36)
    assert next(iter(data.train_dataloader())).content.frames.shape == (4, 4, 3, 36, 36)
