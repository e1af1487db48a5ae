"""How long a loader keeps training waiting, on loaders of known speed."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from datamodules.base import ClipDataModule
from datamodules.batch import Clips
from datamodules.random import Draw
from datamodules.source import ClipSource
from fit import bench_loader
from fit.bench_loader import photographs, rate_of, real, sleeping, waiting


class Slow(ClipSource):
    """Takes its time for each clip."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 8

    def clip(self, draw: Draw) -> Clips:
        time.sleep(self.seconds)
        return Clips(torch.zeros(3, 3, 36, 36, dtype=torch.uint8))


class SlowClips(ClipDataModule):
    """Content takes some seconds for a clip, style none."""

    def __init__(self, seconds: float, **options: Any) -> None:
        self.seconds = seconds
        super().__init__(**({"size": (32, 32), "frames": 3, "batch_size": 1, "workers": 0} | options))
        self.setup()

    def content_clips(self, split: Any) -> ClipSource:
        return Slow(self.seconds)

    def style_clips(self, split: Any) -> ClipSource:
        return Slow(0)


def test_without_workers_all_of_the_loading_is_waited_for() -> None:
    assert sleeping(SlowClips(0.05, batches_per_epoch=6), 0.05) == pytest.approx(0.5, abs=0.1)
    assert rate_of(SlowClips(0.05, batches_per_epoch=6)) == pytest.approx(1 / 0.05, rel=0.2)


def test_a_worker_that_keeps_up_is_not_waited_for() -> None:
    assert sleeping(SlowClips(0.01, workers=1, batches_per_epoch=5), 0.2) < 0.3
    # Too slow: of each 0.5 s the step sleeps 0.1 s.
    assert sleeping(SlowClips(0.5, workers=1, batches_per_epoch=5), 0.1) > 0.5


def test_a_real_run_says_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_loader, "REAL_STEPS", 4)
    slow, quick = (real(SlowClips(seconds, batches_per_epoch=4)) for seconds in (0.5, 0))
    assert 0 < quick < slow < 1
    assert slow > 0.1


def test_photographs_are_pictures_to_take_for_a_style(tmp_path: Path) -> None:
    paths = list(photographs(tmp_path).iterdir())
    assert len(paths) == 10
    assert all(Image.open(path).mode == "RGB" for path in paths)


def test_every_source_gets_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made: list[dict[str, Any]] = []

    def source(**options: Any) -> ClipDataModule:
        made.append(options)
        return SlowClips(0)

    monkeypatch.setattr(bench_loader, "Vimeo90K", source)
    monkeypatch.setattr(bench_loader, "VideoFolder", source)
    monkeypatch.setattr(bench_loader, "real", lambda source: 0.25)
    waiting({"PNG": tmp_path / "a", "packed small": tmp_path / "b"}, tmp_path / "style", tmp_path / "films", 7, 2)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:18].strip() for line in lines[3:6]] == ["PNG", "packed small", "videos"]
    assert [line.split()[-1] for line in lines[-2:]] == ["25.0%", "25.0%"]
    assert [Path(options["root"]).name for options in made] == ["a", "b", "films", "a", "b"]
    for options in made[:3]:
        assert options == {
            "root": options["root"],
            "style": str(tmp_path / "style"),
            "frames": 7,
            "size": (256, 256),
            "batch_size": 4,
            "batches_per_epoch": 2,
            "workers": 2,
        }
