"""Pictures as video stores them (YUV, tagged, perhaps turned) to upright RGB, and RGB back to YUV with the same tags.

Conversions use the matrix and the range the picture is tagged with; untagged ones are BT.601 in limited range, as FFmpeg and
Decord take them. Both directions agree, so what comes out looks as what went in to any player, whatever it assumes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame as Picture
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SWSCALE_FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# What swscale calls the matrices it knows, by their number in ITU-T H.273; anything else is taken for BT.601.
SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
BT709, UNSAID, BT601 = 1, 2, 5
LIMITED, FULL = 1, 2
# Shares of red and of blue in luma, by the number swscale uses.
SHARES = {1: (0.2126, 0.0722), 4: (0.3, 0.11), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
PLANES = ("yuv420p", "yuvj420p")  # luma, then colours at half size; 8 bits


@dataclass(frozen=True)
class Orientation:
    """How stored pixels become the upright picture: rows and columns swapped first, then mirrored."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def of(cls, picture: Picture) -> Self:
        """Read the display matrix of a picture, to the nearest of the eight upright orientations.

        Not to be asked of every picture: PyAV then keeps them in memory until Python collects its garbage.
        """
        side_data = cast(Iterable[SideData], picture.side_data)  # PyAV annotates it as a dictionary
        stored = next((data for data in side_data if data.type == Type.DISPLAYMATRIX), None)
        if stored is None:
            return cls()
        # A stored pixel (x, y) is shown at (a x + c y, b x + d y); the matrix is stored as a, b, u, c, d, v, ...
        matrix = np.frombuffer(bytes(stored), np.int32)
        a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
        return cls(True, c < 0, b < 0) if abs(b) > abs(a) else cls(False, a < 0, d < 0)

    @property
    def degrees(self) -> int:
        """How far it is turned counter-clockwise, mirrored or not: 0, 90, 180 or 270."""
        if self.swap:
            return 90 if self.mirror_y else 270
        return 180 if self.mirror_y else 0

    def apply(self, pixels: Pixels) -> Pixels:
        """Turn ``(H, W, 3)`` upright."""
        upright = pixels.swapaxes(0, 1) if self.swap else pixels
        return np.ascontiguousarray(upright[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1])


@dataclass(frozen=True)
class Colour:
    """Colour tags by their numbers in ITU-T H.273 (2: not said); the range is 0 not said, 1 limited, 2 full."""

    matrix: int
    range: int
    primaries: int
    transfer: int

    @classmethod
    def of(cls, picture: Picture) -> Self:
        """The tags of a picture; the old full-range pixel formats count as a tag."""
        full = picture.format.name.startswith("yuvj")
        tags = (picture.colorspace, FULL if full else picture.color_range, picture.color_primaries, picture.color_trc)
        return cls(*(int(tag) for tag in tags))

    def as_yuv(self, pixel_format: str) -> "Colour":
        """The tags to store a picture with that came in ``pixel_format``: those it has, unless it came as RGB."""
        return Colour(BT709, LIMITED, self.primaries, self.transfer) if _is_rgb(VideoFormat(pixel_format)) else self

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of red and of blue in luma."""
        return SHARES[SWSCALE_MATRIX.get(self.matrix, BT601)]

    def means_as(self, other: "Colour") -> bool:
        """Whether the same bytes mean the same RGB."""
        return self.shares == other.shares and (self.range == FULL) == (other.range == FULL)


class RgbConverter:
    """Converts pictures as they are stored to ``(H, W, 3)`` in [0, 255]; transparency is dropped. For one thread at a time.

    By way of colours in planes of their own: to these FFmpeg converts with vector instructions, and interleaving them is
    cheap. The pixels are those of the direct way, in a third of its time.
    """

    def __init__(self) -> None:
        self._to_planes, self._together = VideoReformatter(), VideoReformatter()  # each keeps what it computed for one pair
        self._kept: Picture | None = None

    def __call__(self, picture: Picture) -> Pixels:
        """The pixels of a picture."""
        planes = self._to_planes.reformat(
            self._unplaced(picture),
            format="gbrp",
            src_colorspace=SWSCALE_MATRIX.get(picture.colorspace, BT601),
            dst_color_range=ColorRange.JPEG,
            interpolation=SWSCALE_FLAGS,
        )
        together = self._together.reformat(planes, format="rgb24", interpolation=SWSCALE_FLAGS)
        return cast(Pixels, together.to_ndarray())

    def _unplaced(self, picture: Picture) -> Picture:
        """The same samples without a word on where those of colours lie between those of luma.

        FFmpeg's conversion to RGB heeds it and that back does not: colours would move by half a pixel with every generation.
        Nothing but another picture takes it away; it is kept, since new memory costs more than the copy.
        """
        kind = picture.format
        if kind.chroma_width(16) == kind.chroma_height(16) == 16:
            return picture
        kept = self._kept
        if kept is None or (kept.width, kept.height, kept.format.name) != (picture.width, picture.height, kind.name):
            kept = self._kept = Picture(picture.width, picture.height, kind.name)
        for target, source in zip(kept.planes, picture.planes, strict=True):
            rows, into = plane_rows(source), plane_rows(target)
            used = min(rows.shape[1], into.shape[1])
            into[:, :used] = rows[:, :used]
        return tagged(kept, Colour.of(picture))


def is_transparent(picture: Picture) -> bool:
    """Whether one sees through any of its pixels; that a format could say so is no sign of it (GIF always could)."""
    if not any(component.is_alpha for component in picture.format.components):
        return False
    return bool((picture.to_ndarray(format="rgba")[..., 3] < 255).any())


def plane_rows(plane: VideoPlane) -> Pixels:
    """The bytes of a plane, ``(H, bytes of a row and its padding)``; they are its own, not a copy."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)


def to_picture(rgb: Pixels, pixel_format: str, colour: Colour, converter: VideoReformatter) -> Picture:
    """Store ``(H, W, 3)`` in [0, 255] in a YUV pixel format, with these tags."""
    picture = converter.reformat(
        Picture.from_numpy_buffer(_in_rows(rgb), "rgb24"),
        format=pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=SWSCALE_MATRIX.get(colour.matrix, BT601),
        dst_color_range=ColorRange.JPEG if colour.range == FULL else ColorRange.MPEG,
        # Exact rounding takes longer. In limited range it changes next to nothing; in full range grey would not stay grey.
        interpolation=SWSCALE_FLAGS if colour.range == FULL else Interpolation.BICUBIC,
    )
    return tagged(picture, colour)


def tagged(picture: Picture, colour: Colour) -> Picture:
    """The picture, with these tags."""
    picture.colorspace, picture.color_range = colour.matrix, colour.range
    picture.color_primaries, picture.color_trc = colour.primaries, colour.transfer
    return picture


def in_planes_of(pixel_format: str, own: Colour, colour: Colour) -> bool:
    """Whether pictures of this format and these tags are stored as 8-bit 4:2:0 with ``colour`` is."""
    return pixel_format in PLANES and own.means_as(colour)


def _in_rows(rgb: Pixels) -> Pixels:
    """The pixels row after row: themselves where they lie so, in sides of one pixel too, for which numpy has no rule."""
    return rgb if rgb.strides == (3 * rgb.shape[1], 3, 1) else rgb.copy(order="C")


def storable_format(pixel_format: str, width: int, height: int) -> str:
    """The 8-bit YUV format nearest to one a picture came in: its chroma resolution, or full where the size is odd.

    RGB comes out as 4:2:0, which every player can show.
    """
    source = VideoFormat(pixel_format)
    if _is_rgb(source) or len(source.components) < 3:
        across, down = 2, 2
    else:
        across, down = 16 // source.chroma_width(16), 16 // source.chroma_height(16)
    if (across > 1 and width % 2) or (down > 1 and height % 2) or across < down:
        return "yuv444p"
    return {(1, 1): "yuv444p", (2, 1): "yuv422p"}.get((across, down), "yuv420p")


def _is_rgb(pixel_format: VideoFormat) -> bool:
    return pixel_format.is_rgb or pixel_format.has_palette
