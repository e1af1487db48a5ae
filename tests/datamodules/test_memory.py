"""A loader that runs for days: memory and open files stay where they are after warming up."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from datamodules.base import ClipDataModule
from datamodules.pack import pack
from datamodules.video_folder import VideoFolder
from datamodules.vimeo90k import Vimeo90K

PROOF = [pytest.mark.prove, pytest.mark.timeout(3600)]
SMALL: dict[str, Any] = {"size": (24, 32), "frames": 3, "batch_size": 10, "workers": 2}


def processes() -> list[Path]:
    """This process and its loader's."""
    return [
        Path("/proc/self"),
        *(Path("/proc", pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
    ]


def resident() -> int:
    """Memory of the processes together, in KiB; what they share counts once."""
    lines = [line for path in processes() for line in (path / "smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def opened() -> int:
    return sum(len(os.listdir(path / "fd")) for path in processes())


@pytest.fixture
def pictures(tmp_path: Path, smooth: Callable[..., Any]) -> str:
    (tmp_path / "style").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "style" / f"{number}.png"), smooth(number, 60, 80))
    return str(tmp_path / "style")


def published(root: Path) -> Path:
    draws, names = np.random.default_rng(0), [f"{number:05d}/0001" for number in range(1, 41)]
    for name in names:
        (root / "sequences" / name).mkdir(parents=True)
        for number in range(1, 8):
            cv2.imwrite(
                str(root / "sequences" / name / f"im{number}.png"), draws.integers(256, size=(32, 64, 3), dtype=np.uint8)
            )
    (root / "sep_trainlist.txt").write_text("\n".join(names[:-1]))
    (root / "sep_testlist.txt").write_text(names[-1])
    return root


def source(kind: str, folder: Path, video: Callable[..., Path], style: str) -> ClipDataModule:
    if kind == "videos":
        for number in range(12):
            video(folder / "videos" / f"{number}.mp4", range(30), g="6")
        return VideoFolder(root=str(folder / "videos"), style=style, **SMALL)
    root = published(folder / "png")
    if kind != "PNG":
        pack(root, folder / kind, kind, 1, False)  # type: ignore[arg-type]
        root = folder / kind
    return Vimeo90K(root=str(root), style=style, **SMALL)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "clips"),
    [
        ("lossless", 1_500),
        ("videos", 1_500),
        *(pytest.param(kind, 50_000, marks=PROOF) for kind in ("PNG", "lossless", "small", "videos")),
    ],
)
def test_memory_and_open_files_do_not_grow(
    kind: str, clips: int, tmp_path: Path, video: Callable[..., Path], pictures: str
) -> None:
    data = source(kind, tmp_path, video, pictures)
    data.batches_per_epoch = clips // 10
    data.setup()
    measured = []
    for number, _ in enumerate(data.train_dataloader(), 1):
        if number in (50, clips // 10 - 10):  # 500 clips warm up; at the end workers have nothing left to do
            measured.append((resident(), opened()))
    (before, files), (after, files_after) = measured
    print(f"{kind}: {before / 1024:.0f} MiB, after {clips} clips {after / 1024:.0f}; {files} open files, then {files_after}")
    assert after < 1.05 * before
    assert files_after <= files + 10  # a few batches more or less are on their way
