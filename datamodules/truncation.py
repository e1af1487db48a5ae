"""Whether a video file is all there, told from the sizes it declares, before anything is decoded.

Decoders are quiet about a file that ends early: a cut Matroska file simply looks shorter. But the outermost boxes of MP4, MOV
and 3GP, the segment of Matroska and WebM and the RIFF chunk of AVI declare how long they are, and a GIF ends with a trailer.
Formats that declare nothing (MPEG-TS, live WebM) pass; what can be told about those is told while decoding.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from datamodules.errors import DataError

EBML_HEADER = 0x1A45DFA3
MATROSKA_SEGMENT = 0x18538067


def check_whole(path: Path) -> None:
    """Refuse a file that is shorter than it declares to be.

    Raises:
        DataError: the file ends early.
    """
    with path.open("rb") as file:
        size, head = path.stat().st_size, file.read(12)
        file.seek(0)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            declared = _end_of_boxes(file, size)
        elif head[:4] == EBML_HEADER.to_bytes(4, "big"):
            declared = _end_of_segment(file)
        elif head[:4] == b"RIFF":
            declared = 8 + struct.unpack("<I", head[4:8])[0]
        elif head[:4] == b"GIF8" and not _has_gif_trailer(file, size):
            declared = size + 1
        else:
            return
    if declared > size:
        raise DataError(path, f"at least {declared} bytes, as the file declares", f"{size}", "it is cut off; copy it again")


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last of the outermost boxes ends (ISO/IEC 14496-12, 4.2). A size of 0 means: to the end of the file."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        head = file.read(16)
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length < 8:
            return size
        end += length
    return end


def _end_of_segment(file: BinaryIO) -> int:
    """Where the segment of a Matroska file ends (RFC 8794 and RFC 9559); 0 when its size is not declared."""
    header, length = _element(file)
    if header != EBML_HEADER or length is None:
        return 0
    file.seek(length, 1)
    segment, length = _element(file)
    return file.tell() + length if segment == MATROSKA_SEGMENT and length is not None else 0


def _element(file: BinaryIO) -> tuple[int, int | None]:
    """Identifier and length of the EBML element that begins here; the length is None when it is not declared."""
    first = file.read(1) or b"\x00"
    identifier = int.from_bytes(first + file.read(8 - first[0].bit_length()), "big")
    first = file.read(1) or b"\x00"
    width = 9 - first[0].bit_length()  # as many bytes as there are leading zeros, and one
    value = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return identifier, None if value == (1 << 7 * width) - 1 else value


def _has_gif_trailer(file: BinaryIO, size: int) -> bool:
    """Whether the last bytes, padding with zeros aside, are the trailer ``;``."""
    file.seek(max(0, size - 64))
    return file.read().rstrip(b"\x00").endswith(b";")
