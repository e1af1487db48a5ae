"""The comparison of a network in torch and exported."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from fit import bench, bench_export
from fit.onnx_check import Difference


def test_every_painter_paints_the_same_frames_in_turn() -> None:
    turns: list[tuple[str, Tensor]] = []

    def painter(name: str) -> bench_export.Paint:
        return lambda frames: turns.append((name, frames)) or frames  # type: ignore[func-returns-value]

    found = bench_export.seconds({name: painter(name) for name in "ab"}, (20, 30), repeats=2)
    assert [name for name, _ in turns] == ["a", "b"] * 3
    assert all(torch.equal(frames, turns[0][1]) for _, frames in turns)
    assert turns[0][1].shape == (1, 3, 20, 30)
    assert all(taken.wall > 0 and taken.cores >= 0 for taken in found.values())


def test_the_command_prints_every_size_and_precision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[dict[str, object]] = []

    def export(checkpoint: Path, path: Path, **options: object) -> Difference:
        asked.append(options)
        path.write_bytes(bytes(2**20))
        return Difference(0.01, 40 + len(asked), 3)

    seconds = {"torch float32": 0.4, "ONNX float32": 0.2, "ONNX int8": 0.1, "ONNX float16": 0.5}
    times = {name: bench_export.Taken(wall, 2 * wall - 0.1) for name, wall in seconds.items()}
    monkeypatch.setattr(bench_export, "export", export)
    monkeypatch.setattr(bench_export, "load_paint", lambda path: torch.neg)
    monkeypatch.setattr(bench_export, "seconds", lambda painters, size, repeats: {name: times[name] for name in painters})
    assert bench.main(["export", "x.ckpt", "--size", "8x16", "16x8", "--repeats", "2"]) == 0
    assert asked == [{}, {"quantize": "int8"}, {"half": True}]
    title, *rows = capsys.readouterr().out.splitlines()
    assert "x.ckpt" in title
    assert rows[0] == "8x16"
    assert rows[5] == "16x8"
    assert " ".join(rows[3].split()) == (
        "ONNX int8 10.0 frames/s (4.00 of torch, 2.00 of ONNX float32), 100.0 ms on all cores (7.00, 3.00) "
        "1.00 MiB, PSNR >= 42.0 dB"
    )
