"""Video that is stored as 4:2:0 on both sides stays so on its way."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from datamodules.frames import VideoFrame, VideoInfo, open_video
from datamodules.pictures import FULL, Orientation
from fit import planes
from fit.planes import PlanePaint, apart, in_planes
from fit.render import render
from fit.stream import AnySize
from fit.timeline import to_planes
from lightning_modules.generators.realtime import RealtimeGenerator

Clip = Callable[..., Path]


@pytest.fixture
def paint() -> AnySize:
    torch.manual_seed(0)
    network = RealtimeGenerator(24, 1).eval()
    return AnySize(network, network.size_multiple, network.min_size, network)


@pytest.mark.parametrize("tags", [(2, 0, 2, 2), (1, 1, 1, 1), (1, 2, 1, 1), (6, 1, 6, 6)])
@pytest.mark.parametrize(("size", "edges"), [((48, 64), 4), ((50, 62), 4), ((22, 46), 8)])
def test_comes_out_as_by_way_of_rgb(
    clip: Clip,
    tmp_path: Path,
    paint: AnySize,
    size: tuple[int, int],
    edges: int,
    tags: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, painted = clip(size=size, tags=tags), 0
    paint_planes = PlanePaint.__call__

    def counted(self: PlanePaint, planes: torch.Tensor) -> torch.Tensor:
        nonlocal painted
        painted += len(planes)
        return paint_planes(self, planes)

    monkeypatch.setattr(PlanePaint, "__call__", counted)
    render([source], tmp_path / "planes.mp4", paint, crf=0, batch=3)
    assert painted == 10
    render([source], tmp_path / "rgb.mp4", AnySize(paint.paint, 8, 8), crf=0)
    assert painted == 10
    with open_video(tmp_path / "planes.mp4") as a, open_video(tmp_path / "rgb.mp4") as b, open_video(source) as c:
        assert a.info.colour == b.info.colour == c.info.colour
        for mine, other, before in zip(a, b, c, strict=True):
            assert mine.time == other.time == before.time
            # Pictures of hard edges between strong colours, which lie differently within stored colours on the two ways.
            assert np.abs(mine.rgb.astype(int) - other.rgb).mean() < edges
            # What is flat is compared as it is stored; the way by RGB rounds to whole RGB before and after painting as well.
            (luma, chroma), (same_luma, same_chroma) = (stored(frame, b.info) for frame in (mine, other))
            lower = size[0] // 4 + 3, size[1] // 4 + 3
            assert differ(luma, same_luma)[..., 2 * lower[0] : -2, 2 * lower[1] : -2].max() <= 1
            assert differ(chroma, same_chroma)[..., lower[0] : -1, lower[1] : -1].max() <= 2


def stored(frame: VideoFrame, info: VideoInfo) -> tuple[torch.Tensor, torch.Tensor]:
    """Luma and colours of a frame as they lie in its file."""
    return apart(torch.from_numpy(to_planes(frame, info, info))[None])


def differ(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a.int() - b.int()).abs()


def test_is_compiled_where_the_network_is(clip: Clip, paint: AnySize, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(planes, "compile_in_place", lambda networks, device: compiled.extend(networks))
    with open_video(clip(tags=(1, 1, 1, 1))) as reader:
        in_planes(paint, [reader.info], reader.info, "yuv420p")
        assert not compiled
        painter = in_planes(AnySize(paint, 8, 8, paint.network, compiled=True), [reader.info], reader.info, "yuv420p")
    assert painter
    assert compiled == [painter.painter]


def test_only_where_nothing_has_to_be_converted(clip: Clip, paint: AnySize) -> None:
    with open_video(clip(tags=(1, 1, 1, 1))) as reader:
        info = reader.info
    assert in_planes(paint, [info, info], info, "yuv420p")
    assert in_planes(AnySize(paint.paint, 8, 8), [info], info, "yuv420p") is None
    assert in_planes(torch.neg, [info], info, "yuv420p") is None
    for pixel_format in ("yuv444p", "rgb24", "pal8"):
        assert in_planes(paint, [info], info, pixel_format) is None
    others = (
        replace(info, width=info.width + 2),
        replace(info, pixel_aspect=Fraction(4, 3)),
        replace(info, pixel_format="yuv420p10le"),
        replace(info, pixel_format="yuv422p"),
        replace(info, stored=Orientation(mirror_y=True)),
        replace(info, colour=replace(info.colour, matrix=6)),
        replace(info, colour=replace(info.colour, range=FULL)),
    )
    for other in others:
        assert in_planes(paint, [info, other], info, "yuv420p") is None


@pytest.mark.parametrize(
    "differs", [{"size": (96, 96)}, {"pixels": "yuv444p"}, {"rotation": 90, "size": (64, 48)}, {"tags": (1, 1, 1, 1)}]
)
def test_a_frame_that_is_not_like_the_others_is_converted(clip: Clip, differs: dict[str, object]) -> None:
    with open_video(clip("a.mp4")) as a, open_video(clip("b.mp4", **differs)) as b:
        (first, *_), (other, *_) = a, b
        usual, converted = to_planes(first, a.info, a.info), to_planes(other, b.info, a.info)
    assert converted.shape == usual.shape == (72, 64)
    middle = converted[20:28, 28:36].astype(int)
    assert np.abs(middle - usual[20:28, 28:36]).max() <= 2  # grey either way


def test_planes_lie_one_after_the_other() -> None:
    stored = torch.arange(2 * 6 * 6).view(2, 6, 6)
    luma, chroma = apart(stored)
    assert torch.equal(luma.flatten(1), stored.view(2, 36)[:, :24])
    assert torch.equal(chroma[:, 1].flatten(1), stored.view(2, 36)[:, 30:])
    luma.zero_()
    assert stored[:, :4].sum() == 0
