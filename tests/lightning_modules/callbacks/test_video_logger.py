from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from lightning_modules.callbacks.video_logger import CELL, GAP, HEADING, VideoLogger, encode, headings, side_by_side, to_and_fro


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


def test_small_pictures_grow_by_a_whole_factor_and_large_ones_stay() -> None:
    dots = torch.linspace(-1, 1, 2 * 3 * 3 * 4 * 5).reshape(1, 2, 3, 3, 4, 5)[0]
    small = side_by_side([dots])
    factor = CELL // 4
    assert small.shape == (2, 3, CELL + GAP, 5 * factor + GAP, 3)
    expected = ((dots + 1) * 127.5).round().byte().permute(0, 1, 3, 4, 2).numpy()
    np.testing.assert_array_equal(small[:, :, factor // 2 : CELL : factor, factor // 2 : 5 * factor : factor], expected)
    assert side_by_side([torch.zeros(1, 1, 3, CELL + 7, 9)]).shape[2:4] == (CELL + 7 + GAP, 9 + GAP)


def test_headings_stand_over_their_columns() -> None:
    line = headings(["a", "", "b"], 300)
    dark = np.flatnonzero((line < 128).any(axis=(0, 2)))
    assert ((dark > 40) & (dark < 60) | (dark > 240) & (dark < 260)).all()
    assert dark.min() < 100 < 200 < dark.max()


def test_frames_go_to_and_fro_without_repeating_the_ends() -> None:
    frames = np.arange(3, dtype=np.uint8)
    assert [int(frame) for frame in to_and_fro(frames, least=7)] == [0, 1, 2, 1, 0, 1, 2, 1]
    assert [int(frame) for frame in to_and_fro(frames[:1], least=3)] == [0, 0, 0]


def test_encoded_frames_come_back_in_order_at_an_even_size(tmp_path: Path) -> None:
    greys = (20, 120, 220)
    encode([np.full((33, 47, 3), grey, np.uint8) for grey in greys], tmp_path / "x.mp4", rate=5)
    with av.open(str(tmp_path / "x.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 5
    assert [frame.shape for frame in frames] == [(34, 48, 3)] * 3
    assert [float(frame.mean()) for frame in frames] == pytest.approx(greys, abs=3)


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
