"""Standard input and streams of the network: as a file while they last; what was finished stays when they end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from datamodules.errors import DataError
from datamodules.frames import open_video
from fit import live, render
from fit import stylize as command
from fit.live import LiveReader, Pipe, RawFormat, place
from fit.raw import RawWriter
from fit.video import VideoWriter

Clip = Callable[..., Path]
SIZE = (48, 64)
ROOT = Path(__file__).resolve().parents[2]
FRAME_BYTES = 48 * 64 * 3


@pytest.fixture(autouse=True)
def fake_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint swaps red and blue."""
    monkeypatch.setattr(command, "load_paint", lambda *_: lambda frames: frames.flip(1))


def noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, *SIZE, 3), np.uint8)


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sends bytes to what the command takes for standard input, and closes it unless told not to."""
    read, written = os.pipe()
    monkeypatch.setattr(live, "Pipe", lambda _: Pipe(read))
    threads: list[threading.Thread] = []

    def send(content: bytes, close: bool = True) -> None:
        def work() -> None:
            with open(written, "wb", closefd=close) as pipe:
                pipe.write(content)

        threads.append(threading.Thread(target=work))
        threads[0].start()

    yield send
    for thread in threads:
        thread.join()
    os.close(read)


def run(*words: object) -> int:
    return command.main([*(str(word) for word in words), "--checkpoint", "x.ckpt"])


def left_with(status: int, *words: object) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == status


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-", "-"), ("udp://127.0.0.1:5000", "udp://127.0.0.1:5000"), ("rtsp://cam/1", "rtsp://cam/1"), ("a.mp4", Path("a.mp4")),
     ("./-", Path("-")), ("C:/a.mp4", Path("C:/a.mp4"))],
)  # fmt: skip
def test_places(text: str, expected: object) -> None:
    assert place(text) == expected


def test_raw_frames_come_as_they_were_sent(standard_input: Callable[..., None]) -> None:
    sent = noise(7)
    standard_input(sent.tobytes())
    with LiveReader("-", RawFormat(SIZE, Fraction(30000, 1001))) as reader:
        came = list(reader)
    assert np.array_equal([frame.rgb for frame in came], sent)
    assert [frame.time for frame in came] == [Fraction(1001 * n, 30000) for n in range(7)]
    assert reader.lost is None


def test_raw_frames_into_a_file(standard_input: Callable[..., None], tmp_path: Path) -> None:
    standard_input(np.full((9, *SIZE, 3), (200, 50, 90), np.uint8).tobytes())
    assert run("-", tmp_path / "out.mp4", "--size", "64x48", "--fps", 50) == 0
    with open_video(tmp_path / "out.mp4") as reader:
        frames = list(reader)
    assert [frame.time for frame in frames] == [Fraction(n, 50) for n in range(9)]
    assert np.abs(frames[0].rgb.astype(int) - (90, 50, 200)).max() < 6


def test_a_container_comes_through_standard_input(
    clip: Clip, standard_input: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = clip("in.mkv", sound=["aac"])
    standard_input(source.read_bytes())
    assert run("-", tmp_path / "out.mp4") == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["sound 1: copied (aac)"]
    with open_video(source) as before, open_video(tmp_path / "out.mp4") as after:
        assert [frame.time for frame in before] == [frame.time for frame in after]


def test_the_sound_of_a_container_is_left_out_of_raw_frames(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "raw").open("wb") as file:
        monkeypatch.setattr(render, "RawWriter", partial(RawWriter, descriptor=file.fileno()))
        assert run(clip(sound=["aac"]), "-") == 0
    said = capsys.readouterr()
    assert not said.out
    assert said.err.splitlines()[0].startswith("standard output: 10 frames, 0.40 s")
    assert said.err.splitlines()[1:] == ["sound: left out, raw video holds none"]
    assert (tmp_path / "raw").stat().st_size == 10 * FRAME_BYTES


def test_half_a_frame_ends_the_stream_and_the_whole_ones_are_kept(
    standard_input: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standard_input(noise(5).tobytes()[:-100])
    left_with(1, "-", tmp_path / "out.mp4", "--size", "64x48")
    said = capsys.readouterr()
    assert said.out.startswith(f"{tmp_path / 'out.mp4'}: 4 frames")
    assert said.err.splitlines() == [
        "error: standard input: lost, a packet that is cut off after 0.12 s; what was finished until then is kept"
    ]
    with open_video(tmp_path / "out.mp4") as reader:
        assert len(list(reader)) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("content", [b"", b"no video " * 1000])
def test_no_video_on_standard_input_is_a_mistake(
    content: bytes, standard_input: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standard_input(content)
    left_with(2, "-", tmp_path / "out.mp4")
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1
    assert "standard input: expected a video stream" in line
    assert "say the --size of raw frames" in line
    assert not list(tmp_path.iterdir())


def test_an_interruption_keeps_what_is_finished_while_the_input_waits(
    standard_input: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def paint(frames: Tensor) -> Tensor:
        if len(painted) == 5:
            raise KeyboardInterrupt
        painted.append(1)
        return frames

    painted: list[int] = []
    monkeypatch.setattr(command, "load_paint", lambda *_: paint)
    monkeypatch.setattr(render, "painters", lambda _: (1, 1))
    standard_input(noise(8).tobytes(), close=False)
    began = time.monotonic()
    assert run("-", tmp_path / "out.mp4", "--size", "64x48") == 130
    assert time.monotonic() - began < 5
    said = capsys.readouterr()
    assert said.err == "interrupted; what was finished until then is kept\n"
    assert ": 5 frames" in said.out
    with open_video(tmp_path / "out.mp4") as reader:
        assert len(list(reader)) == 5


def test_ctrl_c_reaches_a_reader_that_waits_and_a_second_one_undoes_nothing(
    standard_input: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(writer: VideoWriter) -> None:
        signal.raise_signal(signal.SIGINT)
        finish(writer)

    finish = VideoWriter._finish
    monkeypatch.setattr(VideoWriter, "_finish", interrupted)
    standard_input(noise(3).tobytes(), close=False)
    ctrl_c = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    ctrl_c.start()
    assert run("-", tmp_path / "out.mp4", "--size", "64x48", "--latency") == 130
    ctrl_c.join()
    assert "3 frames" in capsys.readouterr().out
    with open_video(tmp_path / "out.mp4") as reader:
        assert len(list(reader)) == 3


def test_nobody_reads_the_output(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read, written = os.pipe()
    os.close(read)
    monkeypatch.setattr(render, "RawWriter", partial(RawWriter, descriptor=written))
    left_with(1, clip(), "-")
    os.close(written)
    assert capsys.readouterr().err == "error: standard output: nobody reads it any more; it has what was written until then\n"


def test_a_full_disk_behind_standard_output_is_told(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "wb") as full:
        monkeypatch.setattr(render, "RawWriter", partial(RawWriter, descriptor=full.fileno()))
        left_with(2, clip(), "-")
    assert capsys.readouterr().err == "error: standard output: No space left on device\n"


PIPED = """
import sys
from fit import stylize
stylize.load_paint = lambda *_: lambda frames: frames.flip(1)
sys.exit(stylize.main(sys.argv[1:]))
"""


def test_the_command_in_a_pipe() -> None:
    sent = noise(12)
    words = ["-", "-", "--size", "64x48", "--checkpoint", "x.ckpt", "--batch", "3"]
    piped = [sys.executable, "-c", PIPED, *words]
    done = subprocess.run(piped, input=sent.tobytes(), capture_output=True, check=True, cwd=ROOT)
    came = np.frombuffer(done.stdout, np.uint8).reshape(sent.shape)
    assert np.array_equal(came, sent[..., ::-1])
    assert done.stderr.decode().startswith("standard output: 12 frames, 0.48 s")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError:
            pytest.skip("no UDP over loopback here")
        return int(probe.getsockname()[1])


def send(address: str, pictures: Sequence[NDArray[np.uint8]], heard: threading.Event) -> None:
    """Send pictures again and again, as a camera would, until they are heard; then once more and no further."""
    with av.open(f"{address}?pkt_size=1316", "w", format="mpegts") as output:
        stream = output.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        number, last = 0, False
        while not last:
            last = heard.is_set()
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, number = number, number + 1
                output.mux(stream.encode(frame))
                time.sleep(0.01)


def test_a_stream_of_the_network_is_painted_until_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 2.0)
    heard = threading.Event()

    def paint(frames: Tensor) -> Tensor:
        heard.set()
        return frames.flip(1)

    monkeypatch.setattr(command, "load_paint", lambda *_: paint)
    address = f"udp://127.0.0.1:{free_port()}"
    picture = np.full((*SIZE, 3), (200, 50, 90), np.uint8)
    sender = threading.Thread(target=send, args=(address, [picture] * 10, heard))
    sender.start()
    left_with(1, address, tmp_path / "out.mp4")
    sender.join()
    said = capsys.readouterr()
    assert "lost, " in said.err
    assert "what was finished until then is kept" in said.err
    assert len(said.err.splitlines()) == 1
    with open_video(tmp_path / "out.mp4") as reader:
        frames = [frame.rgb for frame in reader]
    assert len(frames) >= 10
    assert all(np.abs(rgb.astype(int) - (90, 50, 200)).mean() < 10 for rgb in frames)


def test_an_address_where_nothing_is_sent_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.5)
    with pytest.raises(DataError, match=r"expected a video stream, got one that does not open .*; check the address"):
        LiveReader(f"udp://127.0.0.1:{free_port()}")


class Serving(BaseHTTPRequestHandler):
    """Sends half a film's bytes, or all of them, and says how many there are."""

    film: bytes
    sent: int

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.film)))
        self.end_headers()
        self.wfile.write(self.film[: self.sent])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[float], str]]:
    """The address of a film of 40 frames, of whose bytes a share comes before the server hangs up."""
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for picture in noise(40):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def address(share: float) -> str:
        Serving.film = film.read_bytes()
        Serving.sent = int(share * len(Serving.film))
        return f"http://127.0.0.1:{server.server_address[1]}/film.mkv"

    yield address
    server.shutdown()
    server.server_close()


def test_an_address_that_sends_a_file_is_painted_to_its_end(served: Callable[[float], str], tmp_path: Path) -> None:
    assert run(served(1.0), tmp_path / "out.mp4") == 0
    with open_video(tmp_path / "out.mp4") as reader:
        assert sum(1 for _ in reader) == 40


def test_an_address_that_hangs_up_leaves_what_was_finished(
    served: Callable[[float], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 2.0)
    left_with(1, served(0.5), tmp_path / "out.mp4")
    (line,) = capsys.readouterr().err.splitlines()
    assert "what was finished until then is kept" in line
    with open_video(tmp_path / "out.mp4") as reader:
        assert 10 < sum(1 for _ in reader) < 30
