"""Stages and networks of a repainted film, side by side."""

import os
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from datamodules.frames import open_video
from fit import bench, bench_networks
from fit.bench_stylize import Stage, again, film, measured, possible_rate, stages
from fit.timeline import Frame


def test_the_command_prints_stages_all_together_and_both_networks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_networks, "SIDE", 64)
    assert bench.main(["stylize", "--size", "32x48", "--frames", "4", "--seconds", "1"]) == 0
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("Repainting 4 frames of 48x32, mp4 to mp4, H.264; RealtimeGenerator, untrained; CPU")
    assert header.split() == ["frames/s", "core-ms", "a", "frame"]
    figures = {name: rest.split() for name, rest in (re.split(r"  +", row, maxsplit=1) for row in rows if "  " in row)}
    alone = [float(figures[name][1]) for name in ("decode, to planes", "encode, from planes")]
    assert all(work >= 0 for work in alone)
    assert float(figures["reached of that"][0]) > 0
    said = " ".join(rows)
    assert re.search(r"latency: p50 [\d.]+ ms, p95 [\d.]+ ms a frame", said)
    assert re.search(r"peak memory of the process: \d+ MiB", said)
    assert re.search(r"matrix product, up to 64 square: [\d.]+ GMAC/s in float32, [\d.]+ in bfloat16", said)
    assert figures["TransformerNet, the usual one"][3] == "1,679,235"
    assert re.search(r"ratio of the speeds: [\d.]+$", said)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the first time, torch prepares its headers
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler")
def test_compiling_is_not_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_networks, "SIDE", 64)
    usual = torch.get_num_threads()
    torch.set_num_threads(2)  # those who paint at once have one each, so what is translated for two is not for them
    try:
        assert bench.main(["stylize", "--size", "32x48", "--frames", "4", "--seconds", "1", "--compile"]) == 0
    finally:
        torch.set_num_threads(usual)
    rows = capsys.readouterr().out.splitlines()
    assert "untrained, compiled" in rows[0]
    named = [re.split(r"  +", row) for row in rows if re.match(r"network, \d at once|RealtimeGenerator", row)]
    at_once, alone = (float(words[1]) for words in named)
    assert min(at_once, alone) > 20  # hundreds; translating, even from torch's cache, takes a tenth of a second and more


def test_stages_are_measured_by_the_clock_and_by_their_work() -> None:
    asleep = measured(lambda: time.sleep(0.2), 2)
    assert asleep.wall >= 0.1
    assert asleep.work < 0.05
    busy = measured(lambda: [torch.rand(300, 300) @ torch.rand(300, 300) for _ in range(50)], 1)
    assert busy.work > 0


def test_what_is_possible() -> None:
    alone = [Stage(0.010, 0.004), Stage(0.020, 0.040), Stage(0.015, 0.006)]
    assert possible_rate(alone, 2, "cpu") == pytest.approx(2 / 0.050)
    assert possible_rate(alone, 2, "cuda") == pytest.approx(50)


def test_the_film_moves_and_again_goes_round(tmp_path: Path) -> None:
    with open_video(film(tmp_path / "a.mp4", (30, 41), 20)) as reader:
        assert (reader.info.height, reader.info.width) == (30, 41)
        pictures = [frame.rgb for frame in reader]
    assert len(pictures) == 20
    assert np.abs(pictures[0].astype(int) - pictures[19]).mean() > 1
    frames = [Frame(0, 0, picture) for picture in pictures[:2]]  # type: ignore[arg-type]
    round_twice = list(again(frames, 5))
    assert [float(30 * frame.time) for frame in round_twice] == [0, 1, 2, 3, 4]
    assert all(frame.pixels is frames[n % 2].pixels for n, frame in enumerate(round_twice))


def test_each_stage_takes_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = 0

    def paint(frames: torch.Tensor) -> torch.Tensor:
        nonlocal painted
        painted += len(frames)
        return frames

    monkeypatch.setattr("fit.bench_stylize.painters", lambda _: (1, 1))
    given = SimpleNamespace(frames=5, batch=2)
    found = stages(film(tmp_path / "a.mp4", (32, 48), 5), paint, given, "cpu")  # type: ignore[arg-type]
    assert list(found) == ["check (decode)", "decode, to RGB", "network, 2 at once", "encode, from RGB"]
    assert painted == 2 * 4 + 5  # two batches to warm up, twice
    with open_video(tmp_path / "out.mp4") as reader:
        assert len(list(reader)) == 5
