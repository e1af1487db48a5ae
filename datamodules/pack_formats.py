"""The two forms in which clips are packed: every picture on its own, so that any run of a clip is read without the rest.

Chosen by measurement, see docs/vimeo90k.md. lossless: UtVideo, predicted from the left, read by the FFmpeg of PyAV; the older
one of Decord reads the same files at less than half the speed. small: JPEG with full colour, read by libjpeg-turbo of OpenCV.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.pictures import plane_rows

Format = Literal["lossless", "small"]
Frames = NDArray[np.uint8]

QUALITY = 92


class Codec(NamedTuple):
    """How an AVI file names a form: four letters, and what the decoder has to know beforehand."""

    letters: bytes
    extra: bytes


# UtVideo: version and colour layout as FFmpeg's encoder states them, 4 bytes of frame information, Huffman codes, one slice.
UTVIDEO = Codec(b"ULRG", bytes.fromhex("f0000001 00000118 04000000 01000000"))
CODECS: dict[Format, Codec] = {"lossless": UTVIDEO, "small": Codec(b"MJPG", b"")}


def encode(frames: Frames, form: Format) -> list[bytes]:
    """Pictures ``(T, H, W, 3)``, RGB, each to bytes of its own.

    Raises:
        RuntimeError: the lossless form did not give back what went in; an encoder that this project does not fit.
    """
    if form == "small":
        return [_jpeg(frame) for frame in frames]
    pictures = _utvideo(frames)
    if not np.array_equal(decode(pictures, form, frames.shape[1:3]), frames):
        raise RuntimeError(f"UtVideo by FFmpeg {av.ffmpeg_version_info} is not what this project was written for")
    return pictures


def decode(pictures: Sequence[bytes | memoryview], form: Format, size: tuple[int, ...]) -> Frames:
    """RGB frames ``(T, *size, 3)`` from what ``encode`` made of them.

    Args:
        pictures: bytes that are known to be undamaged: decoders do not notice every damage.
        form: that was given to ``encode``.
        size: (height, width).

    Raises:
        ValueError: they are no pictures of this form and size.
    """
    frames = np.empty((len(pictures), *size, 3), dtype=np.uint8)
    if form == "small":
        for frame, encoded in zip(frames, pictures, strict=True):
            decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
            _expect(frame.shape, None if decoded is None else decoded.shape)
            frame[:] = decoded
        return frames
    decoder = _context("r", size)
    decoder.extradata, decoder.codec_tag = UTVIDEO.extra, UTVIDEO.letters.decode()
    for frame, encoded in zip(frames, pictures, strict=True):
        try:
            (picture,) = decoder.decode(av.Packet(encoded))  # type: ignore[arg-type]  # any buffer will do
        except av.error.FFmpegError as error:
            raise ValueError("not a picture in UtVideo") from error
        _expect(frame.shape, (picture.height, picture.width, len(picture.planes)))
        green, blue, red = (plane_rows(plane) for plane in picture.planes)
        # OpenCV interleaves the planes: with FFmpeg's own conversion the whole takes a fifth longer.
        cv2.merge([plane[:, : picture.width] for plane in (red, green, blue)], frame)
    return frames


def _expect(shape: tuple[int, ...], got: tuple[int, ...] | None) -> None:
    if got != shape:
        raise ValueError(f"expected a picture {shape}, got {got}")


def _jpeg(frame: Frames) -> bytes:
    options = {
        cv2.IMWRITE_JPEG_QUALITY: QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        cv2.IMWRITE_JPEG_OPTIMIZE: 1,
    }
    flat = [int(number) for option in options.items() for number in option]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), flat)[1])


def _utvideo(frames: Frames) -> list[bytes]:
    encoder = _context("w", frames.shape[1:3])
    encoder.pix_fmt, encoder.time_base, encoder.options = "gbrp", Fraction(1, 25), {"pred": "left", "slices": "1"}
    return [bytes(packet) for frame in frames for packet in encoder.encode(av.VideoFrame.from_ndarray(frame, format="gbrp"))]


def _context(mode: Literal["r", "w"], size: tuple[int, ...]) -> av.VideoCodecContext:
    # Made anew for each clip, in a hundredth of a millisecond: nothing to keep across forks, threads and errors.
    context = av.CodecContext.create("utvideo", mode)
    context.height, context.width = size
    context.thread_count, context.thread_type = 1, "NONE"
    return context
