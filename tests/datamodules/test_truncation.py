import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.truncation import check_whole


def gif(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb8"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.gif"])
@pytest.mark.parametrize("missing", [1, 40, 300])
def test_a_file_that_ends_early_is_refused(tmp_path: Path, video: Callable[..., Path], name: str, missing: int) -> None:
    path = gif(tmp_path / name) if name == "a.gif" else video(tmp_path / name)
    check_whole(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(6, len(whole) - missing)])
    with pytest.raises(DataError, match=r"it is cut off"):
        check_whole(path)


def test_a_file_with_its_index_first_is_refused_too(tmp_path: Path, video: Callable[..., Path]) -> None:
    whole = video(tmp_path / "a.mp4").read_bytes()
    places = {kind: whole.index(kind) - 4 for kind in (b"ftyp", b"mdat", b"moov")}
    moved = whole[: places[b"mdat"]] + whole[places[b"moov"] :] + whole[places[b"mdat"] : places[b"moov"]]
    (tmp_path / "b.mp4").write_bytes(moved)
    check_whole(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").write_bytes(moved[:-1])
    with pytest.raises(DataError, match=f"at least {len(moved)} bytes.*got {len(moved) - 1}"):
        check_whole(tmp_path / "b.mp4")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">I4sQ", 16, b"ftyp", 0) + struct.pack(">I4s", 0, b"mdat") + bytes(100),  # until the end of the file
        struct.pack(">I4sQ", 16, b"ftyp", 0) + struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100),  # length of 64 bits
        bytes.fromhex("1a45dfa3 80 18538067 01ffffffffffffff") + bytes(100),  # length not declared, as in live streams
        bytes.fromhex("1a45dfa3 80 18538067 e4") + bytes(100),  # a length of one byte
        b"RIFF" + struct.pack("<I", 104) + bytes(104),
        b"GIF89a" + bytes(100) + b";\0\0",
        b"G" + bytes(187),  # MPEG-TS declares nothing
        b"",
    ],
)
def test_whole_files_pass(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    check_whole(tmp_path / "file")


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    for path in (shared / "videos").iterdir():
        if path.is_file():
            check_whole(path)
    with pytest.raises(DataError, match="101605 bytes"):
        check_whole(shared / "videos" / "broken" / "mdat_too_long.mp4")
