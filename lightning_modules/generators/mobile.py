"""A light generator that works on 4x4 pixel blocks: fast on a CPU, and without the flicker of a block grid.

Pixels are folded into channels, convolved at a sixteenth of the positions, and unfolded again. A fixed low-pass filter then
takes out the 4-pixel grid, which would stay on the screen while the scene moves: most of a small network's flicker (compare
Karras et al., "Alias-free generative adversarial networks", NeurIPS 2021). What it takes from the brushwork, two thin
convolutions on full-size frames give back from the frame itself; they move with the scene exactly.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.generators.base import Generator
from lightning_modules.ops.contrast import blurred, squashed
from lightning_modules.ops.layers import EdgeConv2d, repeat_edges

BLOCK = 4
SLOPE = 0.2  # of the leaky ReLUs
FINE, COARSE = 3, 11  # sides of the blurs between whose results strokes lie, in pixels
GAIN, BOUND = 4.0, 0.35  # of contrasts between the two blurs: weak ones become strokes, and none too strong
SHARES = (1.0, 0.5)  # of the frame's detail and of its contrasts that are there at the start
EVEN = 0.5  # share of a frame's mean colour that is taken out: paintings of one style differ less in theirs than photographs


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = EdgeConv2d(channels, channels, 3)
        self.second = EdgeConv2d(channels, channels, 3)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, h, w)`` to the same shape."""
        change: Tensor = self.second(F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE))
        return x + change


class Finish(nn.Module):
    """Two thin full-size convolutions that see the smooth painting and the frame's contrasts, and add strokes and detail.

    Args:
        channels: width, at least 12.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = EdgeConv2d(9, channels, 5)
        self.second = EdgeConv2d(channels, 3, 3)
        with torch.no_grad():
            for convolution in (self.first, self.second):
                convolution.weight.normal_(std=0.02)
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            for band in range(6):  # v as leaky(v) - leaky(-v) = (1 + slope) v
                for sign, channel in ((1, 2 * band), (-1, 2 * band + 1)):
                    self.first.weight[channel, 3 + band, 2, 2] += sign
                    self.second.weight[band % 3, channel, 1, 1] += SHARES[band // 3] * sign / (1 + SLOPE)

    def forward(self, painting: Tensor, frames: Tensor) -> Tensor:
        """Both ``(N, 3, H, W)`` to what to add, of the same shape."""
        sharp = blurred(frames, FINE)
        strokes = squashed(GAIN * (sharp - blurred(frames, COARSE)), BOUND)
        detail = squashed(frames - sharp, BOUND)
        added: Tensor = self.second(F.leaky_relu(self.first(torch.cat([painting, detail, strokes], 1)), SLOPE))
        return added


class MobileGenerator(Generator):
    """Space-to-depth, residual 3x3 convolutions without normalisation, depth-to-space, fixed low-pass, full-size finish.

    Memoryless, so causal. Half of a frame's mean colour is taken out first. It starts with the content in place, some of its
    contrasts strengthened.

    Args:
        channels: width, at least 48 (three colours times sixteen pixels).
        blocks: residual blocks, >= 1.
        finish: width of the full-size finish, at least 12.

    Raises:
        ValueError: a width or depth too small.
    """

    size_multiple = BLOCK
    min_size = BLOCK

    lowpass: Tensor
    reach: int

    def __init__(self, channels: int = 48, blocks: int = 4, finish: int = 24) -> None:
        super().__init__()
        folded = 3 * BLOCK**2
        if channels < folded or blocks < 1 or finish < 12:
            raise ValueError(
                f"MobileGenerator: expected channels >= {folded}, blocks >= 1 and finish >= 12, got channels={channels}, "
                f"blocks={blocks}, finish={finish}"
            )
        self.stem = EdgeConv2d(folded, channels, 3)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.head = EdgeConv2d(channels, folded, 3)
        self.finish = Finish(finish)
        for convolution in (self.stem, self.head):
            nn.init.normal_(convolution.weight, std=0.02)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            with torch.no_grad():
                convolution.weight[:folded, :folded, 1, 1] += torch.eye(folded)
        # In blocks: the 3x3 convolutions on them, two in each residual, and what the low-pass and the finish see of neighbours.
        self.reach = BLOCK * (2 + 2 * blocks + 2)
        self.register_buffer("lowpass", folded_lowpass(), persistent=False)

    def paint(self, frames: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [-1, 1] to the same shape."""
        return self.paint_part(frames, self.overview(frames))

    def overview(self, frames: Tensor) -> Tensor:
        """The mean colour of each frame, ``(N, 3, 1, 1)``."""
        return frames.mean((-2, -1), keepdim=True)

    def paint_part(self, part: Tensor, overview: Tensor) -> Tensor:
        even = part - EVEN * overview
        folded = self.head(self.blocks(self.stem(F.pixel_unshuffle(even, BLOCK))))
        smooth = F.conv2d(repeat_edges(folded, 1), self.lowpass.to(folded.dtype))
        painting = F.pixel_shuffle(smooth, BLOCK)
        return torch.tanh(painting + self.finish(painting, part.to(painting.dtype)))


def folded_lowpass() -> Tensor:
    """The output filter as a 3x3 convolution of folded pixels ``(48, 48, 3, 3)``: faster than on full-size frames.

    Along each axis it is [1, 2, 2, 2, 1] / 8, the shortest symmetric low-pass that removes exactly whatever repeats every 4
    pixels: a mean over 4 neighbours, then over 2 to centre it.
    """
    row = torch.tensor([1.0, 2.0, 2.0, 2.0, 1.0]) / 8
    side = 3 * BLOCK
    impulses = torch.eye(3 * side**2).view(-1, 3, side, side)  # one for every pixel of 3x3 blocks
    blurred = F.conv2d(impulses, (row[:, None] * row).expand(3, 1, 5, 5), padding=2, groups=3)
    centre = F.pixel_unshuffle(blurred, BLOCK)[:, :, 1, 1]  # what each of them gives to the middle block
    weights = centre.view(3, side, side, -1).permute(3, 0, 1, 2)
    return F.pixel_unshuffle(weights, BLOCK).contiguous()
