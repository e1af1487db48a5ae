"""The real-time generator on video as it is stored: luma at full size, colour at half of it (4:2:0).

The generator paints at half size, where such video keeps its colours anyway. So colours never go to full size and back, and
what is done there is done for luma alone. Converting to RGB and back, which takes longer than decoding, is done at half size by
the convolutions that are there already.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.generators.realtime import BLOCK, RealtimeGenerator, folded_way_down
from lightning_modules.ops.filters import as_convolution, enlarged, smoothed
from lightning_modules.ops.fold import fold, halved, unfold
from lightning_modules.ops.layers import repeat_edges

LUMA, COLOURS = BLOCK**2, 2 * (BLOCK // 2) ** 2  # numbers that a block of a picture is stored as


class PlanePainter(nn.Module):
    """Paints bytes of 4:2:0 pictures as the generator paints their RGB, but for the sharpest edges of colours and that
    strokes are of the video's own luma.

    What turns bytes to numbers in [-1, 1] and back is part of the convolutions.

    Args:
        network: the generator.
        red, blue: their shares in luma, as the matrix of the video says (ITU-T H.273).
        full: whether bytes have their full range; else luma lies in 16 .. 235 and colours in 16 .. 240.
    """

    luma_down: Tensor
    colours_down: Tensor
    level: Tensor
    way_up: Tensor
    stroke_differences: Tensor
    offset: Tensor

    def __init__(self, network: RealtimeGenerator, red: float, blue: float, full: bool) -> None:
        super().__init__()
        self.network = network
        # Bytes that stand for -1 and 1, of luma and of colours.
        self.luma, self.colours = ((0.0, 255.0), (0.5, 255.5)) if full else ((16.0, 235.0), (16.0, 240.0))
        scales = torch.tensor([(most - least) / 2 for least, most in (self.luma, self.colours)])
        centres = torch.tensor([(most + least) / 2 for least, most in (self.luma, self.colours)])
        matrix = to_yuv(red, blue)
        downs = [filters / scale for filters, scale in zip(folded_ways_down(matrix.inverse()), scales, strict=True)]
        level = sum(filters.sum((1, 2, 3)) * -centre for filters, centre in zip(downs, centres, strict=True))
        counts = torch.tensor([LUMA, COLOURS])  # of the results of the way up
        way_up = folded_way_up(matrix) * scales.repeat_interleave(counts)[:, None, None, None]
        for name, buffer in (("luma_down", downs[0]), ("colours_down", downs[1]), ("level", level), ("way_up", way_up)):
            self.register_buffer(name, buffer, persistent=False)
        stroke = network.style_colours.stroke.cpu() if network.adapts else torch.ones(3)
        shades = matrix @ stroke  # of strokes: how much of their light is luma, and how much either difference
        self.luma_share = float(shades[0])
        differences = folded_strokes(shades[1:]) * scales[1] / scales[0]
        self.register_buffer("stroke_differences", differences, persistent=False)
        # A half, so that cutting off rounds: a pass over the frames less than rounding.
        self.register_buffer("offset", centres.repeat_interleave(counts) + 0.5, persistent=False)
        self.to(network.gain.device)

    @torch.inference_mode()
    def forward(self, luma: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Paint pictures.

        Args:
            luma: ``(N, 1, H, W)`` uint8, H and W multiples of 8.
            colours: ``(N, 2, H / 2, W / 2)`` uint8, the blue and the red difference.

        Returns:
            The same.
        """
        planes = luma.float(), colours.float()
        blocks = F.conv2d(planes[0], self.luma_down, self.level, BLOCK)
        blocks = blocks.add_(F.conv2d(planes[1], self.colours_down, stride=BLOCK // 2)).clamp_(-1, 1)
        overview = self.network.overview_of(blocks)
        painted, share, lines = self.network.painted_blocks(blocks, overview)
        raised = F.conv2d(repeat_edges(painted, 1), self.way_up, self.offset)
        strokes = self.network.brush(fold(planes[0], BLOCK), share, lines)
        y = unfold(raised[:, :LUMA].add_(strokes, alpha=self.luma_share), BLOCK)
        differences = unfold(raised[:, LUMA:].add_(F.conv2d(strokes, self.stroke_differences)), BLOCK // 2)
        return as_bytes(y, *self.luma), as_bytes(differences, *self.colours)


def to_yuv(red: float, blue: float) -> Tensor:
    """The matrix from RGB in [-1, 1] to luma and the blue and the red difference, also in [-1, 1]."""
    luma = torch.tensor([red, 1 - red - blue, blue])
    only_red, only_blue = torch.eye(3)[0], torch.eye(3)[2]
    return torch.stack([luma, (only_blue - luma) / (2 * (1 - blue)), (only_red - luma) / (2 * (1 - red))])


def folded_ways_down(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Luma, halved, and differences to blocks of half-size RGB: ``(12, 1, 4, 4)`` and ``(12, 2, 2, 2)``, to be added."""
    luma = torch.eye(BLOCK**2).view(-1, 1, BLOCK, BLOCK)  # one for every pixel of a block
    colours = torch.eye(COLOURS).view(-1, 2, BLOCK // 2, BLOCK // 2)
    return folded_way_down(luma, turned(halved(luma), matrix[:, :1])), folded_way_down(colours, turned(colours, matrix[:, 1:]))


def folded_way_up(matrix: Tensor) -> Tensor:
    """The generator's own way up, for luma, and halved again, for the differences: ``(24, 12, 3, 3)``."""

    def luma(pixels: Tensor) -> Tensor:
        return enlarged(smoothed(turned(pixels, matrix[:1])))

    def differences(pixels: Tensor) -> Tensor:
        return halved(enlarged(smoothed(turned(pixels, matrix[1:]))))

    return torch.cat([as_convolution(luma, block=BLOCK), as_convolution(differences)])


def folded_strokes(shades: Tensor) -> Tensor:
    """Strokes of full size, halved, of that much of either difference: ``(8, 16, 1, 1)``."""
    return as_convolution(lambda light: halved(light) * shades.view(1, 2, 1, 1), 1, block=BLOCK // 2, seen=BLOCK, size=1)


def turned(pixels: Tensor, matrix: Tensor) -> Tensor:
    """Other colours: ``(N, 3, h, w)`` to ``(N, C, h, w)``."""
    return F.conv2d(pixels, matrix[..., None, None])


def as_bytes(values: Tensor, least: float, most: float) -> Tensor:
    """Cut off what lies beyond, in place, and what is behind the point."""
    return values.clamp_(least + 0.5, min(most + 0.5, 255)).to(torch.uint8)
