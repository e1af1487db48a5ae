import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.frames import open_video
from fit import stylize as command
from fit.stream import AnySize, Paint
from fit.stylize import main

Clip = Callable[..., Path]


def swap_channels(frames: Tensor) -> Tensor:
    assert frames.shape[-1] % 4 == frames.shape[-2] % 4 == 0
    return frames.flip(1)


@pytest.fixture(autouse=True)
def fake_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``x.ckpt`` swaps red and blue; there is no other checkpoint."""
    real = command.load_paint

    def load(path: Path, device: str, threads: int | None, compiled: bool) -> Paint:
        return AnySize(swap_channels, 4, 16) if path.name == "x.ckpt" else real(path, device, threads, compiled)

    monkeypatch.setattr(command, "load_paint", load)


def run(*words: object) -> int:
    return main([*(str(word) for word in words), "--checkpoint", "x.ckpt"])


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def shown(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)]


def test_a_video_is_painted(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = clip(sound=["aac"], size=(50, 62))
    assert run(source, tmp_path / "out.mp4") == 0
    with open_video(source) as before, open_video(tmp_path / "out.mp4") as after:
        for a, b in zip(before, after, strict=True):
            assert a.time == b.time
            assert np.abs(a.rgb[..., ::-1].astype(int) - b.rgb).mean() < 4
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith(f"{tmp_path / 'out.mp4'}: 10 frames, 0.40 s, at ")
    assert said.out.splitlines()[1:] == ["sound 1: copied (aac)"]
    assert not said.err
    assert written(tmp_path) == {"in.mp4", "out.mp4"}


def test_a_cut(clip: Clip, tmp_path: Path, frame_number: Callable[[NDArray[np.uint8]], int]) -> None:
    assert run(clip(), tmp_path / "out.mp4", "--start", "0.12", "--end", "0.28", "--batch", 3) == 0
    with open_video(tmp_path / "out.mp4") as reader:
        assert [frame_number(frame.rgb) for frame in reader] == [3, 4, 5, 6]


def test_several_are_joined_and_the_differences_said(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = clip("a.mp4", sound=["aac"]), clip("b.mp4", size=(96, 96), sound=["libmp3lame"])
    assert run(a, b, tmp_path / "out.mp4") == 0
    assert len(shown(tmp_path / "out.mp4")) == 20
    first, *notes = capsys.readouterr().out.splitlines()
    assert "20 frames" in first
    assert notes == [
        "sound 1: re-encoded to aac, 44100 Hz (the inputs differ)",
        f"{b}: resized from 96x96 to 48x48, in black bars to 64x48",
    ]


def test_sound_that_has_no_place_is_said(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clip(sound=["aac"]), tmp_path / "out.gif") == 0
    assert "sound: left out, .gif holds none" in capsys.readouterr().out


@pytest.mark.parametrize("before", [[], ["--"]])
def test_names_may_begin_with_a_dash(clip: Clip, tmp_path: Path, before: list[str]) -> None:
    clip("-in.mp4")
    assert main(["--checkpoint", "x.ckpt", *before, "-in.mp4", "out.mp4"]) == 0  # tests run in tmp_path
    assert main(["--checkpoint", "x.ckpt", "--", "-in.mp4", "-out.mp4"]) == 0
    assert written(tmp_path) == {"-in.mp4", "out.mp4", "-out.mp4"}


def test_options_may_stand_anywhere(clip: Clip, tmp_path: Path) -> None:
    assert main([str(clip()), "--checkpoint", "x.ckpt", str(tmp_path / "out.mp4")]) == 0


MISTAKES = {
    "in.mp4 out.mp4 --checkpoint y.ckpt": "y.ckpt: expected",
    "in.mp4 out.mp4": "--checkpoint",
    "out.mp4 --checkpoint x.ckpt": "at least one IN before OUT",
    "gone.mp4 out.mp4 --checkpoint x.ckpt": "gone.mp4: expected a video file, got nothing there",
    ". out.mp4 --checkpoint x.ckpt": "got a folder",
    "text.mp4 out.mp4 --checkpoint x.ckpt": "text.mp4: expected a video file, got one that does not open",
    "in.mp4 gone.mp4 out.mp4 --checkpoint x.ckpt": "gone.mp4",
    "in.mp4 out.xyz --checkpoint x.ckpt": "a name that ends in .mp4",
    "in.mp4 nowhere/out.mp4 --checkpoint x.ckpt": "no such folder",
    "in.mp4 in.mp4 --checkpoint x.ckpt": "OUT is also an IN: in.mp4",
    "in.mp4 ./in.mp4 --checkpoint x.ckpt": "OUT is also an IN: in.mp4",
    "in.mp4 out.mp4 --checkpoint x.onnx --tile 64": "--tile needs a checkpoint, got x.onnx",
    "in.mp4 out.mp4 --checkpoint x.onnx --compile": "--compile is for whole frames and checkpoints",
    "in.mp4 out.mp4 --checkpoint x.ckpt --compile --tile 64": "--compile is for whole frames and checkpoints",
    "in.mp4 out.mp4 --checkpoint x.ckpt --crff 3": "there is no option --crff; did you mean --crf?",
    "in.mp4 out.mp4 --checkpoint x.ckpt --strat 3": "there is no option --strat; did you mean --start?",
    "in.mp4 out.mp4 --checkpoint x.ckpt --crf a": "--crf",
    "in.mp4 out.gif --checkpoint x.ckpt --crf 20": "--crf has no meaning for .gif",
    "in.mp4 out.mp4 --checkpoint x.ckpt --start -1": "expected seconds, 0 or more, got -1",
    "in.mp4 out.mp4 --checkpoint x.ckpt --start 1/0": "expected seconds, 0 or more, got 1/0",
    "in.mp4 out.mp4 --checkpoint x.ckpt --latency --batch 2": "--latency paints frame by frame, got --batch 2",
    "in.mp4 out.mp4 --checkpoint x.ckpt --tile 0": "expected at least 1, got 0",
    "in.mp4 out.mp4 --checkpoint x.ckpt --size 64x48": "--size is of raw frames on standard input",
    "- out.mp4 --checkpoint x.ckpt --fps 30": "--fps is of raw frames on standard input, and needs their --size",
    "- out.mp4 --checkpoint x.ckpt --size 64*48": "expected WIDTHxHEIGHT, such as 1280x720, got 64*48",
    "- out.mp4 --checkpoint x.ckpt --size 64x48 --fps 0": "expected frames per second above 0",
    "- - out.mp4 --checkpoint x.ckpt": "standard input can be read once, got 2 times -",
    "in.mp4 - --checkpoint x.ckpt --crf 20": "--crf has no meaning for raw frames",
    "in.mp4 udp://127.0.0.1:9 --checkpoint x.ckpt": "OUT must be a file or -, got udp://127.0.0.1:9",
    "in.mp4 out.mp4 --checkpoint x.ckpt --device tpu9": "--device tpu9 cannot be used",
    "in.mp4 out.mp4 --checkpoint x.ckpt --start 5": "in.mp4: expected frames between --start and --end, got none",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(
    clip: Clip, tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip()
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    said = capsys.readouterr()
    assert caught.value.code == 2
    assert len(said.err.splitlines()) == 1
    assert MISTAKES[words] in said.err
    assert not said.out
    assert written(tmp_path) == {"in.mp4", "text.mp4"}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc, where root cannot write either")
def test_a_folder_that_takes_no_files_is_a_mistake(clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(clip(), "/proc/out.mp4", "--checkpoint", "gone.ckpt")
    assert "/proc/out.mp4: expected a folder to write in" in capsys.readouterr().err  # and not that there is no checkpoint


def test_all_wrong_options_are_said_at_once(clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(clip(), "out.xyz", "--start", 3, "--end", 2, "--batch", 0, "--crf", 99)
    line = capsys.readouterr().err
    assert all(part in line for part in ("--end must come after --start", "--batch", "--crf", ".mp4"))


def damaged(clip: Clip) -> Path:
    """A film with a hole in its middle."""
    source = clip(times=[Fraction(n, 25) for n in range(100)], g="10")
    content = bytearray(source.read_bytes())
    middle = content.index(b"mdat") + content.index(b"moov") >> 1
    content[middle : middle + 300] = bytes(300)
    source.write_bytes(content)
    return source


def test_damage_is_found_before_anything_is_painted(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = damaged(clip)
    monkeypatch.setattr(command, "load_paint", lambda *_: pytest.fail("a network was loaded"))
    with pytest.raises(SystemExit) as caught:
        run(source, tmp_path / "out.mp4")
    line = capsys.readouterr().err
    assert caught.value.code == 2
    assert len(line.splitlines()) == 1
    assert "it is damaged" in line
    assert written(tmp_path) == {"in.mp4"}


def test_without_the_check_damage_ends_the_run_when_it_is_met(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = damaged(clip)
    monkeypatch.setattr(command, "check", lambda *_: pytest.fail("it was checked"))
    with pytest.raises(SystemExit) as caught:
        run(source, tmp_path / "out.mp4", "--no-check")
    line = capsys.readouterr().err
    assert caught.value.code == 2
    assert len(line.splitlines()) == 1
    assert "it is damaged" in line
    assert written(tmp_path) == {"in.mp4"}


def test_an_error_of_the_encoder_ends_everything(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with pytest.raises(SystemExit) as caught:
        run(clip(times=[Fraction(n, 300) for n in range(100)]), tmp_path / "out.gif")
    assert caught.value.code == 2
    assert "as .gif counts time" in capsys.readouterr().err
    assert written(tmp_path) == {"in.mp4"}
    assert threading.active_count() == before


def test_latency_is_said(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clip(), tmp_path / "out.mp4", "--latency") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    found = re.fullmatch(r"latency: p50 ([\d.]+) ms, p95 ([\d.]+) ms a frame, from its packet to its place in the output", last)
    assert found
    assert 0 < float(found[1]) <= float(found[2])
    assert len(shown(tmp_path / "out.mp4")) == 10


def test_tile_asks_for_a_network_in_tiles(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def load(*how: object) -> Paint:
        asked.extend(how)
        return lambda frames: frames.flip(1)

    monkeypatch.setattr(command, "load_tiled", load)
    assert run(clip(), tmp_path / "out.mp4", "--tile", 32, "--device", "cpu") == 0
    assert asked == [Path("x.ckpt"), "cpu", 32]


@pytest.mark.parametrize(
    ("options", "batch"),
    [((), None), (("--batch", 3), 3), (("--compile",), 1), (("--tile", 32), 1), (("--tile", 32, "--batch", 2), 2)],
)
def test_compiled_and_tiled_frames_are_painted_one_by_one_if_nobody_says(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...], batch: int | None
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(command, "network", lambda *_: None)
    monkeypatch.setattr(command, "render", lambda *given: asked.append(given[6]) or [])
    assert run(clip(), tmp_path / "out.mp4", *options) == 0
    assert asked == [batch]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, torch.OutOfMemoryError, ZeroDivisionError])
def test_an_end_in_the_middle_leaves_nothing(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    painted = 0

    def paint(frames: Tensor) -> Tensor:
        nonlocal painted
        painted += 1
        if painted == 5:
            raise failure
        return frames

    monkeypatch.setattr(command, "load_paint", lambda *_: paint)
    outcome: object
    try:
        outcome = run(clip(), tmp_path / "out.mp4", "--batch", 1)
    except (SystemExit, ZeroDivisionError) as error:  # the last stands for a bug, whose traceback is wanted
        outcome = error.code if isinstance(error, SystemExit) else "traceback"
    assert outcome == {KeyboardInterrupt: 130, torch.OutOfMemoryError: 2, ZeroDivisionError: "traceback"}[failure]
    assert len(capsys.readouterr().err.splitlines()) == (failure is not ZeroDivisionError)
    assert written(tmp_path) == {"in.mp4"}


def test_a_terminal_sees_progress_and_time_left(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(frames: Tensor) -> Tensor:
        time.sleep(0.06)
        return frames

    monkeypatch.setattr(command, "load_paint", lambda *_: slow)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(clip(), tmp_path / "out.mp4") == 0
    shown = capsys.readouterr().err
    assert "/10 [" in shown  # of how many
    assert "<00:0" in shown  # how long still


def test_help_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "python -m fit.stylize IN [IN ...] OUT --checkpoint PATH" in text
    assert all(option in text for option in ("--start", "--end", "--crf", "--batch", "--device"))


def probe(path: Path) -> tuple[list[Fraction], list[list[str]]]:
    """By FFmpeg's own tool: when the frames of the first video stream are shown, and the checksums of all sound packets."""
    base = ["ffprobe", "-v", "error", "-of", "json"]
    frames = ["-select_streams", "v:0", "-show_entries", "stream=time_base:frame=best_effort_timestamp"]
    sound = [
        "-select_streams",
        "a",
        "-show_packets",
        "-show_data_hash",
        "md5",
        "-show_entries",
        "packet=stream_index,data_hash",
    ]
    video = json.loads(subprocess.run([*base, *frames, "-i", str(path)], capture_output=True, check=True).stdout)
    audio = json.loads(subprocess.run([*base, *sound, "-i", str(path)], capture_output=True, check=True).stdout)
    ticks = [frame["best_effort_timestamp"] * Fraction(video["streams"][0]["time_base"]) for frame in video["frames"]]
    hashes: dict[int, list[str]] = {}
    for packet in audio.get("packets", []):
        hashes.setdefault(packet["stream_index"], []).append(packet["data_hash"])
    return ticks, [hashes[index] for index in sorted(hashes)]


@pytest.mark.shared
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "-video-with-dash-.mp4",
        "rotation_90_one_frame.mp4",
        "short_mpeg2.ts",
        "newtonscradle.gif",
        "h264_10bits.mp4",
        "nasa_13013.mp4",
        "flipping_a_pancake.mkv",
        "unordered.mov",
    ],
)
def test_real_files_keep_their_times_and_their_sound(shared: Path, tmp_path: Path, name: str) -> None:
    assert run(shared / "videos" / name, tmp_path / "out.mp4", "--crf", 45) == 0
    (before, heard), (after, kept) = probe(shared / "videos" / name), probe(tmp_path / "out.mp4")
    assert [t - after[0] for t in after] == [t - before[0] for t in before]
    assert kept == heard


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "audio_only.mp3",
        "chunk_out_of_range.mp4",
        "corrupted.mp4",
        "mdat_too_long.mp4",
        "truncated_partial_file.mp4",
        "zero_length.webm",
    ],
)
def test_real_broken_files(shared: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(shared / "videos" / "broken" / name, tmp_path / "out.mp4")
    line = capsys.readouterr().err
    assert caught.value.code == 2
    assert len(line.splitlines()) == 1
    assert name in line
    assert not written(tmp_path)
