"""The bytes of an AVI file of independent pictures: header, pictures one after the other, list of where they lie.

Written here and not by FFmpeg, so that a file cut short can be continued behind its last whole picture, and so that the same
pictures make the same bytes whatever the version of the libraries. Layout: Microsoft, "AVI RIFF File Reference".
"""

import struct
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

RATE = 25  # frames a second: of no meaning here, but constant
LARGEST = 1 << 30  # bytes: up to here every reader agrees on the layout
PICTURE = b"00dc"  # stream 0, compressed
LEAD = 8  # bytes before a picture: this name, and its length
HAS_INDEX, KEY_FRAME = 0x10, 0x10


def header(codec: bytes, extra: bytes, size: tuple[int, int], frames: int, data: int) -> bytes:
    """What comes before the pictures; its length depends on that of ``extra`` only.

    Args:
        codec: four letters.
        extra: what the codec's decoder needs to know beforehand.
        size: (height, width).
        frames: number of pictures.
        data: bytes of all pictures as ``picture`` lays them out.
    """
    height, width = size
    main = struct.pack("<14I", 1_000_000 // RATE, 0, 0, HAS_INDEX, frames, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = struct.pack("<4s4sIHHIIIIIIII", b"vids", codec, 0, 0, 0, 0, 1, RATE, 0, frames, 0, 2**32 - 1, 0)
    stream += struct.pack("<4h", 0, 0, width, height)
    form = struct.pack("<IiiHH4sIiiII", 40 + len(extra), width, height, 1, 24, codec, height * width * 3, 0, 0, 0, 0) + extra
    lists = _list(b"hdrl", _chunk(b"avih", main) + _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", form)))
    rest = 4 + len(lists) + 12 + data + 8 + 16 * frames
    return b"RIFF" + struct.pack("<I", rest) + b"AVI " + lists + b"LIST" + struct.pack("<I", 4 + data) + b"movi"


def picture(encoded: bytes) -> bytes:
    """A picture with its length before it, and padding to an even number of bytes behind it."""
    return lead(len(encoded)) + encoded + padding(len(encoded))


def lead(length: int) -> bytes:
    """What lies before a picture of ``length`` bytes."""
    return PICTURE + struct.pack("<I", length)


def padding(length: int) -> bytes:
    """What lies behind it."""
    return b"\0" * (length % 2)


def index(lengths: Sequence[int]) -> bytes:
    """What comes after the pictures, given the bytes of each."""
    entries = np.zeros(len(lengths), dtype=[("id", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("length", "<u4")])
    entries["id"], entries["flags"], entries["length"] = PICTURE, KEY_FRAME, lengths
    entries["offset"] = [0, *accumulate(map(room, lengths))][: len(lengths)]
    entries["offset"] += 4  # counted from the word "movi"
    return _chunk(b"idx1", entries.tobytes())


def room(length: int) -> int:
    """Bytes that a picture of ``length`` bytes takes up."""
    return LEAD + length + length % 2


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)
