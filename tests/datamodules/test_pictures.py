import io
from typing import cast

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame as Picture
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from datamodules.pictures import SWSCALE_FLAGS, Colour, Orientation, RgbConverter, plane_rows, storable_format, to_picture

# Kr and Kb by matrix number (ITU-T H.273, table 4); 2, not said, is read as BT.601.
LUMA = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
SOME_RGB = np.random.default_rng(0).integers(30, 220, (32, 48, 3))


def encode(rgb: NDArray[np.float64], matrix: int, full: bool, bits: int = 8) -> NDArray[np.float64]:
    """The defining equations of Y'CbCr (ITU-T H.273, 8.3): ``(H, W, 3)`` in [0, 255] to unrounded samples."""
    kr, kb = LUMA[matrix]
    r, g, b = (rgb[..., i] / 255 for i in range(3))
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    one = 2 ** (bits - 8)
    if full:
        return np.stack([y * (2**bits - 1), u * (2**bits - 1) + 128 * one, v * (2**bits - 1) + 128 * one], -1)
    return np.stack([(16 + 219 * y) * one, (128 + 224 * u) * one, (128 + 224 * v) * one], -1)


def stored(yuv: NDArray[np.float64], pixel_format: str) -> Picture:
    """A 4:4:4 picture with these samples."""
    kind = np.uint16 if "10" in pixel_format else np.uint8
    frame = Picture(yuv.shape[1], yuv.shape[0], pixel_format)
    for i, plane in enumerate(frame.planes):
        rows = np.zeros((yuv.shape[0], plane.line_size // np.dtype(kind).itemsize), kind)
        rows[:, : yuv.shape[1]] = np.round(yuv[..., i])
        plane.update(rows.tobytes())
    return frame


def samples(picture: Picture) -> NDArray[np.int64]:
    """The samples of an 8-bit 4:4:4 picture."""
    planes = [np.frombuffer(bytes(p), np.uint8).reshape(-1, p.line_size)[:, : picture.width] for p in picture.planes]
    return np.stack(planes, -1).astype(np.int64)


@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize(("pixel_format", "tag", "full"), [("yuv444p", 1, False), ("yuv444p", 0, False), ("yuv444p", 2, True),
                                                           ("yuvj444p", 0, True), ("yuv444p10le", 1, False)])  # fmt: skip
def test_rgb_inverts_the_defining_equations(matrix: int, pixel_format: str, tag: int, full: bool) -> None:
    exact = encode(SOME_RGB.astype(float), matrix, full, 10 if "10" in pixel_format else 8)
    picture = stored(exact, pixel_format)
    picture.colorspace, picture.color_range = matrix, tag
    # A step of Cb is up to 2 * (1 - Kb) * 255 / 224 steps of blue, and both roundings add.
    assert np.abs(RgbConverter()(picture).astype(int) - SOME_RGB).max() <= 2
    assert (picture.colorspace, picture.color_range) == (matrix, tag)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj422p", "yuv444p", "yuv420p10le", "nv12", "gray", "bgra", "rgb24"])
def test_rgb_is_what_the_direct_conversion_gives(pixel_format: str) -> None:
    convert, direct = RgbConverter(), VideoReformatter()
    for seed in range(3):  # one after the other, by the same converter
        rgb = np.random.default_rng(seed).integers(0, 256, (34, 46, 3), np.uint8)
        picture = Picture.from_numpy_buffer(rgb, "rgb24").reformat(format=pixel_format)
        at_once = direct.reformat(
            picture, format="rgb24", src_colorspace=5, dst_color_range=ColorRange.JPEG, interpolation=SWSCALE_FLAGS
        )
        assert np.array_equal(convert(picture), at_once.to_ndarray())


@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("tag", [0, 1, 2])
def test_to_picture_follows_the_defining_equations(matrix: int, tag: int) -> None:
    colour = Colour(matrix, tag, 9, 14)
    picture = to_picture(SOME_RGB.astype(np.uint8), "yuv444p", colour, VideoReformatter())
    assert np.abs(samples(picture) - encode(SOME_RGB.astype(float), matrix, tag == 2)).max() <= 1.1
    assert Colour.of(picture) == colour


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1), (6, 7), (33, 50)])
def test_to_picture_takes_pixels_however_they_lie(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    turned = np.ascontiguousarray(rgb.swapaxes(0, 1)).swapaxes(0, 1)
    strides = tuple(7 if side == 1 else stride for side, stride in zip(rgb.shape, rgb.strides, strict=True))
    odd = np.lib.stride_tricks.as_strided(rgb, rgb.shape, strides)
    first, *others = (
        to_picture(p, "yuv444p", Colour(1, 1, 1, 1), VideoReformatter()) for p in (rgb, turned, odd, rgb[:, ::-1])
    )
    assert all(np.array_equal(samples(other), samples(first)) for other in others[:2])
    assert np.array_equal(samples(others[2]), samples(first)[:, ::-1])


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p"])
@pytest.mark.parametrize("tag", [1, 2])
def test_grey_stays_grey(tag: int, pixel_format: str) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3).repeat(64, 0)
    picture = to_picture(grey, pixel_format, Colour(1, tag, 1, 1), VideoReformatter())
    again = RgbConverter()(picture).astype(int)
    assert np.ptp(again, axis=-1).max() <= 1
    assert np.abs(again - grey).max() <= 1
    for plane in picture.planes[1:]:
        assert set(plane_rows(plane)[:, : plane.width].ravel()) == {
            128
        }  # one less is a tint of two levels that grows with every generation


def test_chroma_at_half_resolution_stays_in_its_place() -> None:
    ramp = np.broadcast_to(np.linspace(40, 200, 64)[None, :, None], (64, 64, 3)).copy()
    ramp[..., 1] = 120
    both = np.stack([ramp, ramp.swapaxes(0, 1)]).astype(np.uint8)
    for rgb in both:
        picture = to_picture(rgb, "yuv420p", Colour(1, 1, 1, 1), VideoReformatter())
        again = RgbConverter()(picture)[8:-8, 8:-8].astype(float)
        # The ramp climbs 2.5 a pixel: a shift by half a pixel would show as 1.25.
        assert abs((again - rgb[8:-8, 8:-8]).mean()) < 0.5


def test_colours_do_not_move_with_generations() -> None:
    """H.264 says that they lie left, unless told otherwise; they are put where they were all the same."""
    wave = np.rint(128 + 60 * np.sin(np.arange(128) / 4))
    frame = Picture(256, 64, "yuv420p")
    for plane, values in zip(frame.planes, (np.full(256, 128), wave, wave[::-1]), strict=True):
        plane_rows(plane)[:, : len(values)] = values
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        stream = cast(VideoStream, container.add_stream("libx264", rate=25, options={"crf": "1"}))
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        packets = [*stream.encode(frame), *stream.encode(None)]
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = stream.codec_context.extradata
        decoded = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    assert len(decoded) == 1
    again = to_picture(RgbConverter()(decoded[0]), "yuv420p", Colour.of(decoded[0]), VideoReformatter())
    for before, after in zip(decoded[0].planes[1:], again.planes[1:], strict=True):
        old, new = (plane_rows(plane)[16, 8:120].astype(int) for plane in (before, after))
        assert np.abs(new - old).mean() < 1.5  # moved by a fourth of its pixels, half of one of luma, it would be 2.4


def test_one_converter_takes_pictures_of_any_kind_in_turn() -> None:
    some = [
        to_picture(SOME_RGB[:height].astype(np.uint8), kind, Colour(matrix, tag, matrix, 1), VideoReformatter())
        for height, kind, matrix, tag in [
            (32, "yuv420p", 1, 1),
            (32, "yuv420p", 5, 2),
            (16, "yuv420p", 1, 1),
            (32, "yuv422p", 9, 1),
        ]
    ]
    converter = RgbConverter()
    for picture in [*some, *some[::-1]]:
        assert np.array_equal(converter(picture), RgbConverter()(picture))


def test_old_full_range_formats_count_as_a_tag_and_rgb_gets_tags_of_its_own() -> None:
    assert Colour.of(Picture(4, 4, "yuvj420p")).range == 2
    assert Colour(2, 0, 1, 13).as_yuv("bgra") == Colour(1, 1, 1, 13)
    assert Colour(2, 0, 2, 2).as_yuv("pal8") == Colour(1, 1, 2, 2)
    assert Colour(5, 2, 1, 13).as_yuv("yuv422p") == Colour(5, 2, 1, 13)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("mirror_x", [False, True])
@pytest.mark.parametrize("mirror_y", [False, True])
def test_orientation_moves_pixels_where_the_matrix_says(swap: bool, mirror_x: bool, mirror_y: bool) -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    upright = Orientation(swap, mirror_x, mirror_y).apply(pixels)
    height, width = (3, 2) if swap else (2, 3)
    assert upright.shape == (height, width, 3)
    for y in range(2):
        for x in range(3):
            to_x, to_y = (y, x) if swap else (x, y)
            to_x, to_y = (width - 1 - to_x if mirror_x else to_x), (height - 1 - to_y if mirror_y else to_y)
            assert (upright[to_y, to_x] == pixels[y, x]).all()


@pytest.mark.parametrize(
    ("came_in", "even", "odd"),
    [
        ("yuv420p", "yuv420p", "yuv444p"),
        ("yuvj420p", "yuv420p", "yuv444p"),
        ("yuv420p10le", "yuv420p", "yuv444p"),
        ("nv12", "yuv420p", "yuv444p"),
        ("yuva420p", "yuv420p", "yuv444p"),
        ("yuv411p", "yuv420p", "yuv444p"),
        ("yuv422p10le", "yuv422p", "yuv444p"),
        ("yuv440p", "yuv444p", "yuv444p"),
        ("yuv444p12le", "yuv444p", "yuv444p"),
        ("gray", "yuv420p", "yuv444p"),
        ("bgra", "yuv420p", "yuv444p"),
        ("gbrp", "yuv420p", "yuv444p"),
        ("pal8", "yuv420p", "yuv444p"),
    ],
)
def test_storable_format_keeps_the_chroma_resolution_where_the_size_allows(came_in: str, even: str, odd: str) -> None:
    assert storable_format(came_in, 64, 48) == even
    assert storable_format(came_in, 63, 48) == odd


def test_an_odd_height_matters_only_to_formats_that_halve_it() -> None:
    assert storable_format("yuv422p", 64, 47) == "yuv422p"
    assert storable_format("yuv420p", 64, 47) == "yuv444p"
