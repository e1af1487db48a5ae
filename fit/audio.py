"""Sound of the inputs into the output: packets copied untouched where the container can hold them, else encoded anew.

A track is the n-th sound stream of every input. It is copied if all inputs have it in one format and the container can hold
that format; it is encoded anew, as a whole, if not.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Protocol, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.format import AudioFormat
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from datamodules.errors import DataError
from datamodules.frames import VideoReader
from fit.continuous import Continuous
from fit.timeline import Sound

USUAL_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")  # of 1, 2, ... channels: every encoder's
# "Experimental" only by FFmpeg's name: TrueHD in MP4 and the like, which are copied, not made.
MUXER_OPTIONS = {"strict": "experimental"}


class Track(Protocol):
    """One sound stream of the output."""

    note: str  # what is done with it, so far

    def packets(self, sound: Sound) -> "Iterator[Packet[AudioStream]]":
        """What to write for one packet of an input."""

    def rest(self) -> "Iterator[Packet[AudioStream]]":
        """What is left to write at the end."""


class CopiedTrack:
    """Packets as they are; only their times are shifted."""

    def __init__(self, output: OutputContainer, template: AudioStream) -> None:
        self._stream = _added(output, template)
        _keep_names(self._stream, template)
        self._base = template.time_base or Fraction(1, av.time_base)
        self._last: int | None = None
        self.note = f"copied ({template.codec_context.codec.canonical_name})"

    def packets(self, sound: Sound) -> "Iterator[Packet[AudioStream]]":
        """The packet itself. Times the input leaves out follow on from the packet before."""
        packet, ratio = sound.packet, sound.packet.time_base / self._base
        shift = sound.shift / self._base
        dts = self._next(None if packet.dts is None else round(packet.dts * ratio + shift))
        packet.pts = dts if packet.pts is None else max(dts, round(packet.pts * ratio + shift))
        packet.dts, packet.duration = dts, round((packet.duration or 0) * ratio)
        packet.time_base, packet.stream = self._base, self._stream
        yield packet

    def _next(self, dts: int | None) -> int:
        """Decoding times must grow: where the sound of joined files overlaps by a packet, it is put right behind."""
        least = dts or 0 if self._last is None else self._last + 1
        self._last = least if dts is None else max(dts, least)
        return self._last

    def rest(self) -> "Iterator[Packet[AudioStream]]":
        """Nothing."""
        return iter(())


class EncodedTrack:
    """Decoded, converted to the rate and the channels of ``template``, and encoded."""

    def __init__(self, output: OutputContainer, template: AudioStream, codec: str, why: str) -> None:
        rate = _rate_for(codec, template.rate)
        layout = _layout_for(codec, rate, template.layout)
        self._stream = cast(AudioStream, output.add_stream(codec, rate=rate, layout=layout))
        _keep_names(self._stream, template)
        self._source: AudioStream | None = None
        self._shift = Fraction(0)
        self._continuous = Continuous(rate)
        what = f"{rate} Hz" if layout == template.layout.name else f"{rate} Hz, {layout}"
        self._done = self.note = f"re-encoded to {self._stream.codec_context.codec.canonical_name}, {what} ({why})"
        self._damaged = 0

    def packets(self, sound: Sound) -> "Iterator[Packet[AudioStream]]":
        """Encode what the packet decodes to."""
        if sound.packet.stream is not self._source:
            yield from self._drain()
            context = self._stream.codec_context
            self._source = sound.packet.stream
            # Packed, for PyAV reads beyond the planes of eight channels; the encoder makes planes of it where it wants them.
            self._resampler = AudioResampler(format=context.format.packed, layout=context.layout, rate=context.rate)
        self._shift = sound.shift
        yield from self._encode(sound.packet)

    def rest(self) -> "Iterator[Packet[AudioStream]]":
        """What decoder, resampler and encoder still hold."""
        yield from self._drain()
        if self._source is not None:
            yield from self._stream.encode(None)

    def _drain(self) -> "Iterator[Packet[AudioStream]]":
        if self._source is not None:
            yield from self._encode(None)
            yield from self._written(self._resampler.resample(None))

    def _encode(self, packet: "Packet[AudioStream] | None") -> "Iterator[Packet[AudioStream]]":
        source = cast(AudioStream, self._source)
        try:
            frames = source.decode(packet)
        except av.InvalidDataError:  # silence, as players have it: one bad packet is no reason to give up a film
            self._damaged += 1
            self.note = f"{self._done}; {self._damaged} damaged packet{'s' * (self._damaged != 1)} left out"
            return
        except av.FFmpegError as error:
            raise DataError(source.container.name, "sound that decodes", str(error.strerror), "it is damaged") from error
        for frame in frames:
            # In samples, for the resampler hands some frames through and gives others its own clock, which is this one.
            sample = Fraction(1, frame.sample_rate)
            if frame.pts is not None:
                frame.pts = round((frame.pts * (source.time_base or sample) + self._shift) / sample)
            frame.time_base = sample
            yield from self._written(self._resampler.resample(frame))

    def _written(self, frames: "Iterable[AudioFrame]") -> "Iterator[Packet[AudioStream]]":
        for frame in frames:
            for part in self._continuous(frame):
                yield from self._stream.encode(part)


def plan_tracks(output: OutputContainer, readers: Sequence[VideoReader], codec: str | None) -> list[Track]:
    """Add the sound streams of all inputs to the output.

    Args:
        output: where nothing has been written yet.
        readers: the inputs.
        codec: what to encode with where copying is not possible; None where the container holds no sound.
    """
    if codec is None:
        return []
    tracks: list[Track] = []
    for number in range(max(len(reader.audio) for reader in readers)):
        streams = [reader.audio[number] for reader in readers if len(reader.audio) > number]
        name = streams[0].codec_context.codec.canonical_name
        if len({_format_of(stream) for stream in streams}) > 1:
            tracks.append(EncodedTrack(output, streams[0], codec, "the inputs differ"))
        elif not can_copy(output.format.name, streams[0]):
            tracks.append(EncodedTrack(output, streams[0], codec, f"{output.format.name} does not hold {name}"))
        else:
            tracks.append(CopiedTrack(output, streams[0]))
    return tracks


def can_copy(muxer: str, stream: AudioStream) -> bool:
    """Whether a container takes the packets of a stream: asked by writing it, the only full answer.

    PCM with a packet of silence, since MP4 looks at its channels at the end; of other formats not any bytes are a packet.
    """
    name = stream.codec_context.codec.canonical_name
    if name.startswith("amr_"):
        return False  # MOV takes one AMR frame per packet; what 3GP delivers holds several
    pcm = name.startswith("pcm_")
    if pcm and muxer == "mp4" and not name.startswith("pcm_s16"):
        return False  # FFmpeg before version 6 takes any PCM in MP4 for 16 bits: noise
    trial = av.open(io.BytesIO(), "w", format=muxer, container_options=MUXER_OPTIONS)
    try:
        copy = _added(trial, stream)
        trial.start_encoding()
        if pcm:
            trial.mux(_silence(copy))
            trial.close()
    except (ValueError, av.FFmpegError):
        return False
    finally:
        with suppress(av.FFmpegError):
            trial.close()
    return True


def _added(output: OutputContainer, template: AudioStream) -> AudioStream:
    """A stream for the packets of ``template``. AVI and Matroska only count PCM's channels; MP4 asks which they are."""
    stream, channels = output.add_stream_from_template(template), template.layout.nb_channels
    if template.layout.name == f"{channels} channels" and channels <= len(USUAL_LAYOUTS):
        stream.codec_context.layout = USUAL_LAYOUTS[channels - 1]
    return stream


def _silence(stream: AudioStream) -> "Packet[AudioStream]":
    """A packet of PCM."""
    packet = cast("Packet[AudioStream]", Packet(bytes(8 * stream.layout.nb_channels)))
    packet.stream, packet.pts, packet.dts = stream, 0, 0
    return packet


def _format_of(stream: AudioStream) -> tuple[str, int, str, bytes | None]:
    """All that must agree for packets to follow one another in one stream."""
    context = stream.codec_context
    return context.codec.canonical_name, context.rate, context.layout.name, context.extradata


def _rate_for(codec: str, wanted: int) -> int:
    """The rate an encoder knows next above the wanted one, so that nothing is lost; its highest where none is above."""
    known = av.Codec(codec, "w").audio_rates or [wanted]
    return min((rate for rate in known if rate >= wanted), default=max(known))


def _layout_for(codec: str, rate: int, wanted: AudioLayout) -> str:
    """The wanted layout where the encoder takes it, else the usual one of as many channels, or of the most that are usual."""
    return wanted.name if _opens(codec, rate, wanted.name) else USUAL_LAYOUTS[min(wanted.nb_channels, len(USUAL_LAYOUTS)) - 1]


def _opens(codec: str, rate: int, layout: str) -> bool:
    """Whether an encoder takes a layout: asked by opening it, the only full answer."""
    context = cast(AudioCodecContext, av.CodecContext.create(codec, "w"))
    try:
        context.layout, context.rate, context.format = layout, rate, (context.codec.audio_formats or [AudioFormat("s16")])[0]
        context.open()
    except (ValueError, av.FFmpegError):
        return False
    return True


def _keep_names(stream: AudioStream, template: AudioStream) -> None:
    """Keep what tells one track from another, and which one is played if nobody chooses; other tags may no longer be true."""
    stream.metadata.update({key: value for key, value in template.metadata.items() if key in ("language", "title")})
    stream.disposition = template.disposition
