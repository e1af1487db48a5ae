"""The data benchmark: every way reads the same clips, and the table says what was measured."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.errors import DataError
from fit import bench, bench_data
from fit.bench_data import Clips, Way, by_decord, by_opencv, compare, generated, packed, psnr, published, selection


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    return generated(tmp_path, 3)


def test_generated_clips_are_laid_out_as_published_and_move(clips: Clips) -> None:
    assert (clips.root / "sep_trainlist.txt").read_text().split() == ["00001/0001", "00002/0001"]
    assert (clips.root / "sep_testlist.txt").read_text().split() == ["00003/0001"]
    for clip in range(3):
        frames = by_opencv(clips, clip)
        truth = [np.asarray(Image.open(clips.folder(clip) / f"im{number}.png")) for number in range(1, 8)]
        assert np.array_equal(frames, truth)
        assert frames.shape == (7, 256, 448, 3)
        assert np.abs(np.diff(frames.astype(int), axis=0)).mean() > 1
        assert np.array_equal(by_decord(clips, clip), frames)


def test_packed_forms_are_read_in_the_order_of_the_clips(clips: Clips, tmp_path: Path) -> None:
    for form, least in (("lossless", np.inf), ("small", 35)):
        way = packed(clips, tmp_path / form, form)  # type: ignore[arg-type]
        files = [path for path in (tmp_path / form).rglob("*") if path.is_file()]
        assert way.bytes == sum(path.stat().st_size for path in files) / 3
        assert way.seconds is not None
        assert way.seconds > 0
        for clip in range(3):
            assert psnr(way.read(clip), by_opencv(clips, clip)) >= least
    each = sum(path.stat().st_size for path in clips.root.rglob("*.png")) / 3
    assert [way.bytes for way in published(clips)] == [each, each]


def test_a_selection_links_sequences_spread_over_a_set(clips: Clips, tmp_path: Path) -> None:
    chosen = selection(clips.root, tmp_path / "some", 2)
    assert chosen.names == ["00001/0001", "00003/0001"]
    assert np.array_equal(by_opencv(chosen, 1), by_opencv(clips, 2))
    assert len(selection(clips.root, tmp_path / "all", 99).names) == 3
    for name in clips.names[1:]:
        (clips.root / "sequences" / name).rename(tmp_path / name.replace("/", "-"))
    with pytest.raises(DataError, match="two sequences or more in sequences/, got 1"):
        selection(clips.root, tmp_path / "one", 2)


def test_psnr_follows_its_formula() -> None:
    black = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    assert psnr(black, black) == np.inf
    assert psnr(black, black + 255) == 0
    assert psnr(black, black + 51) == pytest.approx(20 * np.log10(5))


def test_the_table_compares_with_the_first_way(capsys: pytest.CaptureFixture[str]) -> None:
    black = np.zeros((1, 4, 4, 3), dtype=np.uint8)

    def read(seconds: float, brighter: int) -> Any:
        def sleeping(clip: int) -> Any:
            time.sleep(seconds)
            return black + brighter

        return sleeping

    clips = Clips(Path(), ["a", "b"], 1)
    ways = [
        Way("slow", read(0.06, 0), 2048),
        Way("quick", read(0.02, 0), 1024, 3600 / 91_701),
        Way("lossy", read(0.02, 51), 512),
    ]
    compare(clips, ways, 3)
    slow, quick, lossy = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert slow[2:] == ["1.00", "2", "exact"]
    assert float(slow[1]) == pytest.approx(1 / 0.06, rel=0.2)
    assert float(quick[2]) == pytest.approx(3, rel=0.3)
    assert quick[3:] == ["1", "exact", "1.0", "on", "one", "core"]
    assert lossy[4:] == ["14.0", "(14.0)"]


def test_the_command_prints_both_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []
    monkeypatch.setattr(bench_data, "waiting", lambda roots, *others: asked.append(([*roots], *others)))
    assert bench.main(["data", "--clips", "2", "--rounds", "1", "--steps", "7", "--videos", "films"]) == 0
    assert asked == [(["PNG", "packed lossless", "packed small"], None, Path("films"), 7, 7)]
    title, _, *lines = capsys.readouterr().out.splitlines()
    assert "Reading 7 frames: 2 clips (generated), 1 rounds" in title
    assert [line[:18].strip() for line in lines] == ["PNG, OpenCV", "PNG, Decord", "packed lossless", "packed small"]
    assert [line.count("exact") for line in lines] == [1, 1, 1, 0]
