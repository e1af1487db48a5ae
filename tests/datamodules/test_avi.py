import io
import struct

import av
import cv2
import numpy as np

from datamodules import avi


def jpegs(count: int) -> list[bytes]:
    draws = np.random.default_rng(0)
    pictures = [cv2.resize(draws.integers(0, 256, (3, 4, 3), dtype=np.uint8), (28, 34)) for _ in range(count)]
    return [bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80 + i])[1]) for i, picture in enumerate(pictures)]


def joined(encoded: list[bytes]) -> bytes:
    data = b"".join(map(avi.picture, encoded))
    return avi.header(b"MJPG", b"", (34, 28), len(encoded), len(data)) + data + avi.index([len(one) for one in encoded])


def test_ffmpeg_reads_the_file_and_finds_every_picture() -> None:
    encoded = jpegs(9)
    assert {len(one) % 2 for one in encoded} == {0, 1}  # with padding and without
    with av.open(io.BytesIO(joined(encoded))) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.codec.name) == (9, 25, "mjpeg")
        assert (stream.codec_context.height, stream.codec_context.width) == (34, 28)
        assert [bytes(packet) for packet in container.demux(stream) if packet.size] == encoded
        for number in (6, 2, 8):  # by the list at the end
            container.seek(number, stream=stream)
            packet = next(container.demux(stream))
            assert (bytes(packet), packet.is_keyframe, packet.pts) == (encoded[number], True, number)


def test_sizes_in_the_file_are_those_of_the_file() -> None:
    encoded = jpegs(3)
    content = joined(encoded)
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    movi = content.index(b"movi")
    data = sum(avi.room(len(one)) for one in encoded)
    assert int.from_bytes(content[movi - 4 : movi], "little") == 4 + data
    listed = content[movi + 4 + data :]
    assert listed.startswith(b"idx1" + (3 * 16).to_bytes(4, "little"))
    for number, one in enumerate(encoded):
        name, _, offset, length = struct.unpack_from("<4sIII", listed, 8 + 16 * number)
        assert (name, length) == (b"00dc", len(one))
        assert content[movi + offset :].startswith(avi.picture(one))


def test_room_counts_what_a_picture_takes() -> None:
    for length in (0, 1, 2, 7):
        whole = avi.picture(bytes(length))
        assert len(whole) == avi.room(length) == len(avi.lead(length)) + length + len(avi.padding(length))
        assert len(avi.lead(length)) == avi.LEAD


def test_the_header_has_one_length_whatever_it_says() -> None:
    assert len(avi.header(b"ULRG", bytes(16), (1, 1), 0, 0)) == len(avi.header(b"ULRG", bytes(16), (256, 448), 3584, 1 << 29))
