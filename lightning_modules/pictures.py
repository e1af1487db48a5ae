"""Clips as pictures a person looks at: cells side by side under their names, and H.264 that any player shows."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Pictures = NDArray[np.uint8]
GAP = 2  # white pixels between cells
HEADING = 24  # height of the line of column names in pixels
CELL = 128  # smaller pictures are enlarged by a whole factor to at least this height


def pixels(frames: Tensor) -> Pictures:
    """``(..., 3, H, W)`` in [-1, 1] as 8-bit pictures ``(..., H, W, 3)``."""
    values = ((frames.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).byte()
    return values.movedim(-3, -1).numpy()


def enlarged(pictures: Pictures) -> Pictures:
    """Pictures ``(..., h, w, 3)`` lower than CELL repeated by a whole factor to at least this height."""
    factor = max(1, -(-CELL // pictures.shape[-3]))
    return pictures.repeat(factor, axis=-3).repeat(factor, axis=-2)


def joined(columns: list[Pictures]) -> Pictures:
    """Pictures ``(..., h, w, 3)`` of one height next to each other, with white gaps right of and below each."""
    before = [(0, 0)] * (columns[0].ndim - 3)
    padded = [np.pad(cells, [*before, (0, GAP), (0, GAP), (0, 0)], constant_values=255) for cells in columns]
    return np.concatenate(padded, axis=-2)


def side_by_side(columns: list[Tensor]) -> Pictures:
    """Rows of cells, one row for each frame.

    Args:
        columns: each ``(B, T, 3, H, W)`` in [-1, 1], all of one shape.

    Returns:
        Pictures ``(B, T, h, w, 3)``, enlarged if small, with white gaps right of and below each cell.
    """
    return joined([enlarged(pixels(frames)) for frames in columns])


def headings(names: list[str], width: int) -> Pictures:
    """A white line ``(HEADING, width, 3)`` with each name over its share of the width, cut in its middle if it is too long."""
    line = Image.new("RGB", (width, HEADING), "white")
    font = ImageFont.load_default(16)
    for column, name in enumerate(names):
        cuts = (shortened(name, most) for most in range(len(name), 0, -1))
        text = next((cut for cut in cuts if font.getlength(cut) <= width / len(names) - 4 * GAP), "")
        centre = ((column + 0.5) * width / len(names), HEADING / 2)
        ImageDraw.Draw(line).text(centre, text, fill="black", anchor="mm", font=font)
    return np.asarray(line)


def shortened(name: str, most: int) -> str:
    """At most so many characters of a name: what is in its middle gives way, because names differ at their ends."""
    if len(name) <= most:
        return name
    return name[: most // 2] + "…" + name[len(name) - (most - 1) // 2 :]


def to_and_fro(clip: Pictures, least: int = 24) -> list[Pictures]:
    """The frames forward and backward until there are at least so many: clips of training are too short to look at."""
    turn = [*clip, *clip[-2:0:-1]]
    return turn * -(-least // len(turn))


def encode(frames: list[Pictures], path: Path, rate: int) -> None:
    """Write ``(h, w, 3)`` frames as H.264 that any player shows, from its first bytes on; an odd row or column is repeated."""
    height, width = (side + side % 2 for side in frames[0].shape[:2])
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in frames:
            even = np.pad(picture, ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")))
        container.mux(stream.encode())
