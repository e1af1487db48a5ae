from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_modules.callbacks.video_logger import VideoLogger
from lightning_modules.pictures import CELL, GAP, HEADING


def test_a_run_shows_the_same_clips_as_validation_gives_them(train: Any) -> None:
    trainer = train(VideoLogger(every=2, clips=2, rate=5), steps=5)
    samples = Path(str(trainer.log_dir)) / "samples"
    assert sorted(path.name for path in samples.iterdir()) == [
        f"step-00000{step}.{kind}" for step in (2, 4, 5) for kind in ("mp4", "png")
    ]
    sheets = [np.asarray(Image.open(samples / f"step-00000{step}.png")) for step in (2, 5)]
    height, width = CELL, CELL * 12 // 8
    assert sheets[0].shape == (HEADING + 4 * (height + GAP), 4 * (width + GAP), 3)  # 2 clips of 2 frames, 4 columns
    for sheet in sheets:
        for row, grey in enumerate((-0.5, -0.3, -0.4, -0.2)):
            cell = sheet[HEADING + row * (height + GAP) :][:height]
            assert (cell[:, :width] == round((grey + 1) * 127.5)).all()
            assert (cell[:, 3 * (width + GAP) :][:, :width] == 255).all()
    stylized = [sheet[HEADING, width + GAP] for sheet in sheets]
    assert (stylized[1] > stylized[0]).all()  # it learns white


@pytest.mark.parametrize("arguments", [{"every": 0}, {"clips": 0}, {"rate": 0}])
def test_refuses_what_shows_nothing(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="samples: expected every, clips and rate >= 1"):
        VideoLogger(**arguments)


def test_every_rank_asks_for_the_folder_and_the_first_alone_writes(tmp_path: Path) -> None:
    class Rank:
        is_global_zero = False
        asked = 0

        @property
        def log_dir(self) -> str:
            self.asked += 1  # the answer travels from the first rank to all, which must ask together
            return str(tmp_path)

    rank: Any = Rank()
    VideoLogger().write(rank, SimpleNamespace(generator_step=3))  # type: ignore[arg-type]
    assert rank.asked == 1
    assert not list(tmp_path.iterdir())
