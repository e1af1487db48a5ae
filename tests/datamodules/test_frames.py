import gc
import json
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.sidedata.sidedata import SideDataContainer

from datamodules.errors import DataError
from datamodules.frames import VideoFrame, open_video
from datamodules.pictures import Orientation

TICK = Fraction(1, 12800)


def uneven(path: Path, ticks: list[int], rotation: int = 0, sound: bool = False) -> Path:
    """A video of 32x48 whose frames are shown at these ticks; a red stripe at its left; B-frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"threads": "1", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.time_base, stream.codec_context.max_b_frames = TICK, 2
        if rotation:
            stream.set_display_rotation(rotation)
        tone = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for n, tick in enumerate(ticks):
            rgb = np.full((32, 48, 3), 10 * n, np.uint8)
            rgb[:, :12] = (220, 0, 0)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = tick, TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
            silence.sample_rate, silence.pts = 8000, 0
            container.mux(tone.encode(silence))
            container.mux(tone.encode())
    return path


def test_times_are_exact_and_in_order(tmp_path: Path) -> None:
    ticks = [0, 512, 600, 3000, 3001, 9999]
    with open_video(uneven(tmp_path / "a.mp4", ticks)) as reader:
        assert [frame.time for frame in reader] == [tick * reader.info.time_base for tick in ticks]
        assert reader.info.time_base == TICK


def test_frames_are_the_right_ones(tmp_path: Path) -> None:
    with open_video(uneven(tmp_path / "a.mp4", list(range(0, 6400, 512)))) as reader:
        grey = [frame.rgb[16, 40].mean() for frame in reader]
    assert np.allclose(grey, 10 * np.arange(13), atol=3)


def test_info_tells_what_is_known_beforehand(tmp_path: Path) -> None:
    with open_video(uneven(tmp_path / "a.mp4", list(range(0, 5120, 512)))) as reader:
        info = reader.info
    assert (info.width, info.height, info.pixel_format, info.pixel_aspect) == (48, 32, "yuv420p", 1)
    assert (info.frames, info.rate, info.duration, info.start) == (10, 25, Fraction(10, 25), 0)


def test_every_frame_lasts(tmp_path: Path) -> None:
    with open_video(uneven(tmp_path / "a.mkv", [0, 512, 1024])) as reader:
        assert all(frame.duration > 0 for frame in reader)


@pytest.mark.parametrize(("rotation", "side"), [(90, "bottom"), (-90, "top"), (180, "right")])
def test_pictures_are_upright(tmp_path: Path, rotation: int, side: str) -> None:
    # The display matrix turns counter-clockwise: a stripe at the left goes to the bottom by 90 degrees.
    with open_video(uneven(tmp_path / "a.mp4", [0], rotation)) as reader:
        rgb = next(iter(reader)).rgb
        assert rgb.shape == (reader.info.height, reader.info.width, 3) == ((32, 48, 3) if rotation == 180 else (48, 32, 3))
    stripe = {"top": rgb[2, 16], "bottom": rgb[-3, 16], "right": rgb[16, -3]}[side]
    assert stripe[0] > 180
    assert stripe[1:].max() < 60


def test_sound_comes_between_the_frames(tmp_path: Path) -> None:
    with open_video(uneven(tmp_path / "a.mp4", list(range(0, 12800, 512)), sound=True)) as reader:
        events = list(reader.events())
        assert len(reader.audio) == 1
    sound = [event for event in events if not isinstance(event, VideoFrame)]
    assert len(events) - len(sound) == 25
    assert len(sound) >= 8  # 8000 samples in packets of 1024
    assert all(packet.size for packet in sound)


def test_a_damaged_file_raises_where_the_damage_is(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.mp4", range(100), g="10")
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + content.index(b"moov") >> 1
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    with open_video(path) as reader, pytest.raises(DataError, match=r"decodes to its end, got .* after \d\.\d\d s"):
        list(reader)


def test_a_packet_cut_off_at_the_end_is_damage(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.flv", range(20))  # declares no size
    path.write_bytes(path.read_bytes()[:-30])
    with open_video(path) as reader, pytest.raises(DataError, match="a packet that is cut off"):
        list(reader)


def test_a_frame_the_decoder_had_to_mend_is_damage_too(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.mp4", range(30), g="5", crf="1")
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux() if packet.is_keyframe][2]
        middle = packet.pos + packet.size // 2
    content = bytearray(path.read_bytes())
    content[middle : middle + 12] = bytes(12)
    path.write_bytes(content)
    with open_video(path) as reader, pytest.raises(DataError, match="a frame that does not decode fully"):
        list(reader)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "nothing there"),
        ("empty.mp4", b"", "an empty file"),
        ("text.mp4", b"not a video at all\n" * 50, "does not open"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_video(tmp_path / name)


def test_a_folder_and_a_file_of_sound_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder"):
        open_video(tmp_path)
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        tone = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(tone.encode(frame))
    with pytest.raises(DataError, match="a file without one"):
        open_video(tmp_path / "a.wav")


def test_names_that_look_like_something_else(tmp_path: Path, video: Callable[..., Path]) -> None:
    for name in ("-dash.mp4", "http:x.mp4", "100%d.mp4", "ü ü.mp4"):
        path = video(tmp_path / name, range(3))
        with open_video(path.name) as reader:  # tests run in tmp_path
            assert len(list(reader)) == 3


def shown_times(path: Path) -> list[Fraction]:
    """When FFmpeg's own tool shows the frames of the first video stream."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json", "-i", str(path)]
    entries = "stream=time_base:frame=best_effort_timestamp"
    found = json.loads(subprocess.run([*command, "-show_entries", entries], capture_output=True, check=True).stdout)
    ticks = [frame.get("best_effort_timestamp") for frame in found["frames"]]
    if ticks[-1] is None:  # the last one of an AVI
        ticks[-1] = 2 * ticks[-2] - ticks[-3]
    return [tick * Fraction(found["streams"][0]["time_base"]) for tick in ticks]


@pytest.mark.shared
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "MOV00006.3gp",  # H.263, very uneven
        "RATRACE_wave_f_nm_np1_fr_goo_37.avi",  # two frames in one packet, one packet without
        "sample.flv",  # a declared rate of 1000
        "short_mpeg2.ts",  # begins at 1.4 s
        "newtonscradle.gif",
        "unordered.mov",
        "no_duration.webm",
        "one_pixel.mp4",
        "nasa_13013.mp4",  # two video streams
    ],
)
def test_real_files_give_the_times_ffprobe_gives(shared: Path, name: str) -> None:
    with open_video(shared / "videos" / name) as reader:
        frames = list(reader)
    assert [frame.time for frame in frames] == shown_times(shared / "videos" / name)
    assert frames[-1].duration >= Fraction(1, 100)


@pytest.mark.shared
def test_the_best_stream_is_decords(shared: Path) -> None:
    with open_video(shared / "videos" / "nasa_13013.mp4", "best") as reader:
        assert (reader.info.width, reader.info.height, len(list(reader))) == (480, 270, 390)


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
def test_real_broken_files_are_refused(shared: Path, name: str) -> None:
    with pytest.raises(DataError) as caught, open_video(shared / "videos" / "broken" / name) as reader:
        list(reader)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


OPEN = {"x264-params": "open-gop=1:keyint=8:bframes=3:b-adapt=0:scenecut=0"}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.flv", "a.avi"])
def test_a_jump_leads_to_the_key_frame_and_on_to_the_end(tmp_path: Path, video: Callable[..., Path], name: str) -> None:
    options = {"codec": "mpeg4", "g": "8"} if name == "a.avi" else OPEN
    with open_video(video(tmp_path / name, range(40), **options), threads=1) as reader:
        frames = list(reader)
        keys = [n for n, frame in enumerate(frames) if frame.picture.key_frame]
        assert len(keys) == 5
        for key in (keys[3], keys[1], keys[4], keys[1]):
            assert reader.jump(frames[key].time)
            again = list(reader)
            assert [frame.time for frame in again] == [frame.time for frame in frames[key:]]
            assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(again, frames[key:], strict=True))


def test_a_jump_to_anything_else_is_not_made(tmp_path: Path, video: Callable[..., Path]) -> None:
    with open_video(video(tmp_path / "a.mp4", range(40), **OPEN)) as reader:
        times = [frame.time for frame in reader]
        assert not reader.jump(times[9]), "no key frame"
        assert not reader.jump(times[8] + Fraction(1, 10**9)), "between two ticks of the clock"
        assert not reader.jump(times[-1] + 5)
        assert reader.jump(times[8])


def test_the_reader_says_what_the_file_is(tmp_path: Path, video: Callable[..., Path]) -> None:
    with open_video(video(tmp_path / "a.mkv")) as reader:
        assert (reader.container, reader.codec) == ("matroska,webm", "h264")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads through /proc")
def test_one_thread_means_no_other(tmp_path: Path, video: Callable[..., Path]) -> None:
    def threads(asked: int) -> int:
        before = len(list(Path("/proc/self/task").iterdir()))
        with open_video(path, threads=asked) as reader:
            list(reader)
            return len(list(Path("/proc/self/task").iterdir())) - before

    path = video(tmp_path / "a.mp4", size=(256, 256))
    assert threads(1) == 0
    assert threads(3) > 0


def test_frames_that_were_read_leave_memory(tmp_path: Path, video: Callable[..., Path]) -> None:
    path = video(tmp_path / "a.mp4", range(30))
    gc.collect()
    gc.disable()  # which would hide that they wait for it
    try:
        with open_video(path) as reader:
            for frame in reader:
                assert frame.rgb.size
        assert sum(type(thing) is SideDataContainer for thing in gc.get_objects()) <= 1
    finally:
        gc.enable()


def test_a_camera_turned_while_recording_is_noticed(
    tmp_path: Path, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_video(video(tmp_path / "a.mp4", range(3))) as reader:
        straight = [frame.stored for frame in reader]
        asked: list[int] = []
        monkeypatch.setattr(Orientation, "of", lambda picture: asked.append(picture.rotation) or Orientation(swap=True))
        pictures = [SimpleNamespace(pts=n, dts=n, duration=1, rotation=turn) for n, turn in enumerate((0, 90, 90), 10**6)]
        later = [reader._frame(picture).stored for picture in pictures]  # type: ignore[arg-type]
    assert straight == [Orientation()] * 3
    assert later == [Orientation(), Orientation(swap=True), Orientation(swap=True)]
    assert asked == [90], "no more often than needed: PyAV keeps the pictures that are asked"
