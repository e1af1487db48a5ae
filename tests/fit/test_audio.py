from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from datamodules.errors import DataError
from datamodules.frames import open_video
from fit.audio import USUAL_LAYOUTS, _opens, can_copy
from fit.timeline import play
from fit.video import CONTAINERS, VideoWriter

Clip = Callable[..., Path]
LONG = [Fraction(n, 25) for n in range(30)]


def convert(paths: list[Path], output: Path) -> list[str]:
    """Into one file, frames as they are; returns what was done with the sound."""
    with ExitStack() as stack:
        readers = [stack.enter_context(open_video(path)) for path in paths]
        with VideoWriter(output, readers) as writer:
            for event in play(readers, writer.target):
                writer.write(event)
        return writer.sound


def payloads(path: Path) -> list[list[bytes]]:
    with av.open(str(path)) as container:
        streams: list[list[bytes]] = [[] for _ in container.streams.audio]
        order = [stream.index for stream in container.streams.audio]
        for packet in container.demux(container.streams.audio):
            if packet.size:
                streams[order.index(packet.stream.index)].append(bytes(packet))
    return streams


def joined(path: Path) -> bytes:
    """The first sound stream, whatever the bounds of its packets."""
    return b"".join(payloads(path)[0])


def offset(path: Path) -> Fraction:
    """From the first packet of sound to the first of the picture, in seconds."""
    first: dict[str, Fraction] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None:
                kind, time = packet.stream.type, packet.pts * packet.time_base
                first[kind] = min(first.get(kind, time), time)
    return first["video"] - first["audio"]


def loudness(path: Path) -> list[float]:
    """Of each tenth of a second; times without sound are silent."""
    level = [0.0] * 60
    packed = av.AudioResampler(format="flt")  # PyAV reads beyond the planes of eight channels
    with av.open(str(path)) as container:
        for frame in (part for whole in container.decode(audio=0) for part in packed.resample(whole)):
            signal = frame.to_ndarray()
            level[int(frame.time * 10)] = max(level[int(frame.time * 10)], float(np.abs(signal).max()))
    return level


@pytest.mark.parametrize(
    ("source", "encoder", "target"),
    [
        ("a.mp4", "aac", "o.mp4"),
        ("a.mp4", "libmp3lame", "o.mov"),
        ("a.mkv", "libopus", "o.mp4"),
        ("a.mkv", "libopus", "o.webm"),
        ("a.mkv", "flac", "o.mp4"),
        ("a.mkv", "pcm_s16le", "o.mkv"),
        ("a.ts", "mp2", "o.mp4"),
        ("a.mp4", "aac", "o.mkv"),
    ],
)
def test_packets_are_copied_byte_for_byte(clip: Clip, tmp_path: Path, source: str, encoder: str, target: str) -> None:
    path = clip(source, times=LONG, sound=[encoder], rate=48000)
    (note,) = convert([path], tmp_path / target)
    assert note.startswith("copied")
    assert payloads(tmp_path / target) == payloads(path)
    assert offset(tmp_path / target) == pytest.approx(offset(path), abs=0.0011)  # Matroska counts milliseconds


def test_the_offset_to_the_picture_is_not_rounded_to_milliseconds(clip: Clip, tmp_path: Path) -> None:
    path = clip("a.ts", times=[Fraction(1001 + 1001 * n, 30000) for n in range(5)], sound=["mp2"], rate=48000)
    convert([path], tmp_path / "o.mp4")
    assert offset(tmp_path / "o.mp4") == pytest.approx(offset(path), abs=2 / 90000)


def test_every_sound_stream_is_kept(clip: Clip, tmp_path: Path) -> None:
    path = clip("a.mp4", times=LONG, sound=["aac", "libmp3lame"])
    assert convert([path], tmp_path / "o.mp4") == ["copied (aac)", "copied (mp3)"]
    assert payloads(tmp_path / "o.mp4") == payloads(path)


@pytest.mark.parametrize("target", ["o.mp4", "o.mkv", "o.webm"])  # copied, copied and encoded anew
def test_the_track_that_is_played_first_and_the_names_are_kept(clip: Clip, tmp_path: Path, target: str) -> None:
    path = clip("a.mkv", times=LONG, sound=["aac", "aac"], languages=["deu", "fra"])
    convert([path], tmp_path / target)
    with av.open(str(tmp_path / target)) as container:
        kept = [(stream.language, bool(stream.disposition & Disposition.default)) for stream in container.streams.audio]
    assert kept == [("deu", False), ("fra", True)]


def test_damaged_packets_of_sound_are_silent_and_counted(clip: Clip, tmp_path: Path) -> None:
    path = clip("a.mkv", times=LONG, sound=["aac"])
    (whole,) = payloads(path)
    data = path.read_bytes()
    for packet in whole[20:32]:
        data = data.replace(packet, bytes(len(packet)))
    path.write_bytes(data)
    (note,) = convert([path], tmp_path / "o.webm")
    assert note == "re-encoded to opus, 48000 Hz (webm does not hold aac); 12 damaged packets left out"
    heard = loudness(tmp_path / "o.webm")
    assert min(heard[1:4] + heard[8:11]) > 0.1
    assert max(heard[5:7]) < 0.05


@pytest.mark.parametrize(("encoder", "target", "codec"), [("aac", "o.webm", "opus"), ("libopus", "o.mov", "aac")])
def test_what_the_container_does_not_hold_is_encoded_anew_and_said(
    clip: Clip, tmp_path: Path, encoder: str, target: str, codec: str
) -> None:
    path = clip("a.mkv", times=LONG, sound=[encoder], rate=48000, layout="mono")
    (note,) = convert([path], tmp_path / target)
    assert note.startswith(f"re-encoded to {codec}, 48000 Hz (")
    with av.open(str(tmp_path / target)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == codec
        assert container.streams.audio[0].layout.name == "mono"
    heard = loudness(tmp_path / target)
    assert min(heard[:12]) > 0.2  # the tone lasts 1.2 s
    assert max(heard[13:]) < 0.05


@pytest.mark.parametrize(
    ("encoder", "layout"), [("pcm_s24le", "stereo"), ("pcm_f32le", "mono"), ("pcm_s16le", "hexadecagonal")]
)
def test_pcm_that_mp4_makes_noise_of_is_encoded_anew(clip: Clip, tmp_path: Path, encoder: str, layout: str) -> None:
    path = clip("a.mkv", times=LONG, sound=[encoder], rate=48000, layout=layout)
    (note,) = convert([path], tmp_path / "o.mp4")
    assert note.startswith("re-encoded to aac, 48000 Hz")
    assert note.endswith(f"(mp4 does not hold {encoder})")
    assert min(loudness(tmp_path / "o.mp4")[1:11]) > 0.1
    assert convert([path], tmp_path / "o.mov") == [f"copied ({encoder})"]
    assert joined(tmp_path / "o.mov") == joined(path)


@pytest.mark.parametrize("layout", ["mono", "stereo", "2.1", "5.1", "7.1"])
@pytest.mark.parametrize("source", ["a.avi", "a.mkv", "a.mov"])  # the first two only count channels, which MP4 asks for
def test_pcm_of_16_bits_is_copied_to_mp4(clip: Clip, tmp_path: Path, source: str, layout: str) -> None:
    path = clip(source, times=LONG, sound=["pcm_s16le"], layout=layout)
    assert convert([path], tmp_path / "o.mp4") == ["copied (pcm_s16le)"]
    assert joined(tmp_path / "o.mp4") == joined(path)
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.audio[0].layout.nb_channels == av.AudioLayout(layout).nb_channels


def test_sound_that_the_container_refuses_at_the_end_is_said_to_be(clip: Clip, tmp_path: Path) -> None:
    path = clip("a.nut", times=LONG, sound=["eac3"], rate=48000)  # whose tag FFmpeg takes for RealAudio's
    with pytest.raises(DataError, match=r"o.mp4: expected sound that it can hold, got .*; write .mkv"):
        convert([path], tmp_path / "o.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["a.nut"]
    assert convert([path], tmp_path / "o.mkv")[0].startswith("copied")


def test_rates_opus_does_not_know_are_raised(clip: Clip, tmp_path: Path) -> None:
    (note,) = convert([clip("a.mp4", times=LONG, sound=["aac"], rate=44100)], tmp_path / "o.webm")
    assert "48000 Hz" in note


def test_joined_files_of_one_format_are_copied(clip: Clip, tmp_path: Path) -> None:
    path = clip("a.mp4", times=LONG, sound=["aac"])
    assert convert([path, path], tmp_path / "o.mp4") == ["copied (aac)"]
    assert payloads(tmp_path / "o.mp4")[0] == payloads(path)[0] * 2
    heard = loudness(tmp_path / "o.mp4")
    assert min(heard[:24]) > 0.2


def test_joined_files_that_differ_are_encoded_to_the_first(clip: Clip, tmp_path: Path) -> None:
    a = clip("a.mp4", times=LONG, sound=["aac"], rate=44100, layout="mono")
    b = clip("b.mkv", times=LONG, sound=["libopus"], rate=48000)
    assert convert([a, b], tmp_path / "o.mp4") == ["re-encoded to aac, 44100 Hz (the inputs differ)"]
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert (container.streams.audio[0].rate, container.streams.audio[0].layout.name) == (44100, "mono")
    heard = loudness(tmp_path / "o.mp4")
    assert min(heard[:23]) > 0.2


@pytest.mark.parametrize("target", ["o.mp4", "o.mkv", "o.webm"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a.mkv", "aac", 44100), ("b.mp4", "aac", 48000)),
        (("a.mp4", "aac", 44100), ("b.mkv", "ac3", 44100)),
        (("a.ts", "mp2", 48000), ("b.mkv", "flac", 44100)),
        (("a.avi", "libmp3lame", 44100), ("b.ts", "mp2", 48000)),
    ],
)
def test_joined_sound_that_differs_has_no_holes_whatever_clocks_the_files_have(
    clip: Clip, tmp_path: Path, first: tuple[str, str, int], second: tuple[str, str, int], target: str
) -> None:
    paths = [clip(name, times=LONG, sound=[encoder], rate=rate) for name, encoder, rate in (first, second)]
    convert(paths, tmp_path / target)
    with av.open(str(tmp_path / target)) as container:
        spans = [(frame.time, frame.time + frame.samples / frame.sample_rate) for frame in container.decode(audio=0)]
    assert spans[-1][1] == pytest.approx(2.4, abs=0.15)  # twice 1.2 s and an encoder's padding
    assert max(later[0] - earlier[1] for earlier, later in pairwise(spans)) < 0.002  # Matroska counts milliseconds
    assert min(loudness(tmp_path / target)[1:23]) > 0.2


@pytest.mark.parametrize(
    ("source", "encoder", "layout", "target", "made"),
    [
        ("a.avi", "adpcm_ms", "stereo", "o.mp4", "stereo"),  # such files say how many channels there are, not which
        ("a.avi", "adpcm_ms", "mono", "o.mkv", "mono"),
        ("a.mkv", "ac3", "5.1(side)", "o.webm", "5.1"),
        ("a.mkv", "flac", "2.1", "o.webm", "3.0"),
        ("a.mkv", "pcm_s16le", "hexadecagonal", "o.webm", "7.1"),
    ],
)
def test_layouts_the_encoder_does_not_take_become_the_usual_one(
    clip: Clip, tmp_path: Path, source: str, encoder: str, layout: str, target: str, made: str
) -> None:
    own = clip(source, times=LONG, sound=[encoder], rate=44100, layout=layout)
    other = clip("b.mp4", times=LONG, sound=["aac"], rate=48000)
    (note,) = convert([own, other], tmp_path / target)
    assert f"Hz, {made} (the inputs differ)" in note
    with av.open(str(tmp_path / target)) as container:
        assert container.streams.audio[0].layout.name == made
    assert min(loudness(tmp_path / target)[1:23]) > 0.2


def test_eight_channels_with_a_silent_file_between(clip: Clip, tmp_path: Path) -> None:
    many = clip("a.avi", times=LONG, sound=["pcm_s16le"], layout="7.1")
    convert([many, clip("b.mp4", times=LONG), clip("c.mp4", times=LONG, sound=["aac"])], tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.audio[0].layout.name == "7.1"
    heard = loudness(tmp_path / "o.mp4")
    assert min(heard[1:11]) > 0.1  # of a tone of 0.24
    assert max(heard[13:23]) < 0.05
    assert min(heard[25:35]) > 0.1


@pytest.mark.parametrize("codec", sorted({kind.audio for kind in CONTAINERS.values() if kind.audio}))
def test_every_encoder_takes_the_usual_layouts(codec: str) -> None:
    assert all(_opens(codec, 48000, layout) for layout in USUAL_LAYOUTS)
    assert not _opens(codec, 48000, "22.2")


def test_a_silent_file_among_others_is_silent(clip: Clip, tmp_path: Path) -> None:
    silent, tone = clip("a.mp4", times=LONG), clip("b.mp4", times=LONG, sound=["aac"])
    assert convert([silent, tone], tmp_path / "o.mp4") == ["copied (aac)"]
    heard = loudness(tmp_path / "o.mp4")
    assert max(heard[:11]) == 0
    assert min(heard[12:23]) > 0.2


def test_can_copy_asks_the_muxer(clip: Clip) -> None:
    with open_video(clip("a.mkv", sound=["libopus"], rate=48000)) as reader:
        answers = {muxer: can_copy(muxer, reader.audio[0]) for muxer in ("mp4", "mov", "matroska", "webm")}
    assert answers == {"mp4": True, "mov": False, "matroska": True, "webm": True}


@pytest.mark.shared
def test_phone_sound_is_encoded_anew(shared: Path, tmp_path: Path) -> None:
    (note,) = convert([shared / "videos" / "MOV00006.3gp"], tmp_path / "o.mp4")
    assert note == "re-encoded to aac, 8000 Hz (mp4 does not hold amr_nb)"
