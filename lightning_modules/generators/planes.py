"""The real-time generator on video as it is stored: luma at full size, colour at half of it (4:2:0).

The generator paints at half size, where such video keeps its colours anyway. So colours never go to full size and back, and
what is done there is done for luma alone. Converting to RGB and back, which takes longer than decoding, is done at half size by
the convolutions that are there already.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.generators.realtime import BLOCK, RealtimeGenerator
from lightning_modules.ops.filters import as_convolution, enlarged, smoothed
from lightning_modules.ops.fold import fold, halved, unfold
from lightning_modules.ops.layers import repeat_edges

PIXELS = (BLOCK // 2) ** 2  # of a block of the halved frame


class PlanePainter(nn.Module):
    """Paints bytes of 4:2:0 pictures as the generator paints their RGB, but for the sharpest edges of colours.

    Args:
        network: the generator.
        red, blue: their shares in luma, as the matrix of the video says (ITU-T H.273).
        full: whether bytes have their full range; else luma lies in 16 .. 235 and colours in 16 .. 240.
    """

    to_rgb: Tensor
    way_up: Tensor

    def __init__(self, network: RealtimeGenerator, red: float, blue: float, full: bool) -> None:
        super().__init__()
        self.network = network
        # Bytes that stand for -1 and 1, of luma and of colours.
        self.luma, self.chroma = ((0.0, 255.0), (0.5, 255.5)) if full else ((16.0, 235.0), (16.0, 240.0))
        matrix = to_yuv(red, blue)
        self.register_buffer("to_rgb", blocks_to_rgb(matrix.inverse()), persistent=False)
        self.register_buffer("way_up", folded_way_up(matrix), persistent=False)
        self.to(network.gain.device)

    @torch.inference_mode()
    def forward(self, luma: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        """Paint pictures.

        Args:
            luma: ``(N, 1, H, W)`` uint8, H and W multiples of 8.
            chroma: ``(N, 2, H / 2, W / 2)`` uint8, the blue and the red difference.

        Returns:
            The same.
        """
        y, colours = as_numbers(luma, *self.luma), as_numbers(chroma, *self.chroma)
        stored = torch.cat([fold(halved(y), BLOCK // 2), fold(colours, BLOCK // 2)], 1)
        blocks = F.conv2d(stored.contiguous(memory_format=torch.channels_last), self.to_rgb).clamp_(-1, 1)
        overview = blocks.mean((-2, -1)).view(-1, PIXELS, 3, 1, 1).mean(1)
        raised = F.conv2d(repeat_edges(self.network.change(blocks, overview), 1), self.way_up)
        gain = self.network.gain
        y = unfold(raised[:, : BLOCK**2], BLOCK).addcmul_(y, gain)
        colours = unfold(raised[:, BLOCK**2 :], BLOCK // 2).addcmul_(colours, gain)
        return as_bytes(y, *self.luma), as_bytes(colours, *self.chroma)


def to_yuv(red: float, blue: float) -> Tensor:
    """The matrix from RGB in [-1, 1] to luma and the blue and the red difference, also in [-1, 1]."""
    luma = torch.tensor([red, 1 - red - blue, blue])
    only_red, only_blue = torch.eye(3)[0], torch.eye(3)[2]
    return torch.stack([luma, (only_blue - luma) / (2 * (1 - blue)), (only_red - luma) / (2 * (1 - red))])


def blocks_to_rgb(matrix: Tensor) -> Tensor:
    """From the luma of a block's half-size pixels, then the two differences of each, to their RGB: ``(12, 12, 1, 1)``."""
    to_rgb = torch.zeros(PIXELS, 3, 3 * PIXELS)
    for pixel in range(PIXELS):
        to_rgb[pixel, :, pixel] = matrix[:, 0]
        to_rgb[pixel, :, PIXELS + 2 * pixel :][:, :2] = matrix[:, 1:]
    return to_rgb.reshape(3 * PIXELS, 3 * PIXELS, 1, 1)


def folded_way_up(matrix: Tensor) -> Tensor:
    """The generator's own way up, for luma, and halved again, for the differences: ``(24, 12, 3, 3)``."""

    def luma(pixels: Tensor) -> Tensor:
        return enlarged(smoothed(turned(pixels, matrix[:1])))

    def differences(pixels: Tensor) -> Tensor:
        return halved(enlarged(smoothed(turned(pixels, matrix[1:]))))

    return torch.cat([as_convolution(luma, block=BLOCK), as_convolution(differences)])


def turned(pixels: Tensor, matrix: Tensor) -> Tensor:
    """Other colours: ``(N, 3, h, w)`` to ``(N, C, h, w)``."""
    return F.conv2d(pixels, matrix[..., None, None])


def as_numbers(values: Tensor, least: float, most: float) -> Tensor:
    """Bytes from ``least`` to ``most`` to numbers from -1 to 1."""
    return values.float().sub_((least + most) / 2).mul_(2 / (most - least))


def as_bytes(values: Tensor, least: float, most: float) -> Tensor:
    """The reverse, in place, rounded to the nearest; what lies beyond is cut off."""
    # Whole numbers by cutting off after adding a half: a pass over the frames less than rounding.
    halves = values.mul_((most - least) / 2).add_((least + most) / 2 + 0.5)
    return halves.clamp_(least + 0.5, min(most + 0.5, 255)).to(torch.uint8)
