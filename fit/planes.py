"""Painting video as it is stored, without a detour by RGB, where the network and the files allow it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.frames import VideoInfo
from datamodules.pictures import FULL, Colour, in_planes_of
from fit.stream import AnySize, Paint, continued
from fit.timeline import fits_unchanged
from lightning_modules.generators.planes import PlanePainter
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.ops.compilation import compile_in_place


def in_planes(paint: Paint, infos: Sequence[VideoInfo], target: VideoInfo, pixel_format: str) -> "PlanePaint | None":
    """What paints planes in place of RGB, if that is possible.

    Args:
        paint: what paints RGB.
        infos: of the inputs.
        target: of the output.
        pixel_format: of the output.
    """
    if not isinstance(paint, AnySize) or not isinstance(paint.network, RealtimeGenerator) or pixel_format != "yuv420p":
        return None
    if not all(stored_as(info, target) for info in infos):
        return None
    return PlanePaint(paint.network, target.colour, paint.compiled)


def stored_as(info: VideoInfo, target: VideoInfo) -> bool:
    """Whether frames of one video can go into the other as they are."""
    fits = fits_unchanged((info.height, info.width), info.stored, info, target)
    return fits and in_planes_of(info.pixel_format, info.colour, target.colour)


class PlanePaint:
    """Repaints planes, as ``fit.timeline.Frame`` has them, ``(N, 3 H / 2, W)`` uint8, any even H and W.

    Args:
        network: the generator.
        colour: in which they are stored.
        compiled: translate it to machine code when it is first used on frames of a size.

    Raises:
        ValueError: compiling does not work on this machine.
    """

    def __init__(self, network: RealtimeGenerator, colour: Colour, compiled: bool = False) -> None:
        self.painter = PlanePainter(network, *colour.shares, full=colour.range == FULL)
        if compiled:
            compile_in_place([self.painter], network.gain.device)
        self.size_multiple, self.min_size = network.size_multiple, network.min_size

    def __call__(self, planes: Tensor) -> Tensor:
        """Repaint them; the same shape."""
        luma, chroma = apart(planes)
        multiple, least = self.size_multiple, self.min_size
        painted = self.painter(continued(luma, multiple, least), continued(chroma, multiple // 2, least // 2))
        together = torch.empty_like(planes)
        for place, plane in zip(apart(together), painted, strict=True):
            place.copy_(plane[..., : place.shape[-2], : place.shape[-1]])
        return together


def apart(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Views of the luma ``(N, 1, H, W)`` and of the two differences ``(N, 2, H / 2, W / 2)``."""
    count, rows, width = planes.shape
    height = 2 * rows // 3
    return planes[:, None, :height], planes[:, height:].view(count, 2, height // 2, width // 2)
