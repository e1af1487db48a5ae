"""A small generator for live video, laid out for what processors do fast.

Full-size convolutions of three colours cost several times what the same work costs on blocks. So a frame is halved, folded
into blocks of 4x4 pixels, painted there and at half that size again, and brought back to full size by one fixed convolution.
Over it lie strokes: the contrasts of the full-size frame, drawn out along its lines, which move with the scene. The fixed
filter on the way up removes whatever repeats with the blocks, which would stay on the screen while the scene moves (compare
Karras et al., "Alias-free generative adversarial networks", NeurIPS 2021).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.generators.base import Generator
from lightning_modules.ops.brush import Brush
from lightning_modules.ops.colours import LUMA, RaisedColours, StyleColours
from lightning_modules.ops.detail import Summarise, detail_factor, stroke_share
from lightning_modules.ops.filters import as_convolution, convolved, enlarged, smoothed
from lightning_modules.ops.fold import bordered, fold, halved, unfold
from lightning_modules.ops.layers import EdgeConv2d, repeat_edges
from lightning_modules.ops.lines import PIXELS, FindLines, Lines, folded_slopes
from lightning_modules.ops.statistics import full_precision

BLOCK = 4  # pixels along the side of a block; two of the halved frame
COLOURS = 3 * PIXELS  # of a block of the halved frame
SLOPE = 0.2  # of the leaky ReLUs
EVEN = 0.5  # share of a frame's mean colour that is taken out: paintings of one style differ less in theirs than photographs
EVEN_LIGHT = 0.25  # and of what its light differs by from the usual, on top, when adapting: half of that is left then


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then two of single positions, beside the identity, which it starts as."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.across = EdgeConv2d(channels, channels, 3, groups=channels)
        self.widen = EdgeConv2d(channels, channels, 1)
        self.narrow = EdgeConv2d(channels, channels, 1)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, h, w)`` to the same shape."""
        change: Tensor = self.narrow(F.leaky_relu(self.widen(self.across(x)), SLOPE, inplace=True))
        return change.add_(x)


class RealtimeGenerator(Generator):
    """Blocks of 4x4 pixels, separable convolutions on blocks of 8x8, no normalisation, a fixed way back to full size.

    Memoryless, so causal. Half of a frame's mean colour is taken out first. It starts with the content in place. Presets:

        width 24, depth 1   phone
        width 24, depth 2   two cores of a laptop or a server (the default)
        width 64, depth 8   desktop GPU

    Args:
        width: channels on blocks of 4x4 pixels, half of those on blocks of 8x8; at least 24.
        depth: separable blocks on 8x8 pixels, >= 1.
        strokes: how strong strokes are at the start, >= 0: more paints more, and flickers more.
        adaptive: painting, not training, bring frames nearer to the light of those trained on, give pale ones more colour, soft
            ones stronger strokes and sharp ones weaker, give strokes the colour of the style's, and hold areas within its
            colours (``ops.colours``, ``ops.detail``); takes up to a fifth longer.

    Raises:
        ValueError: a width or depth too small, or strokes below 0.
    """

    size_multiple = 2 * BLOCK
    min_size = 2 * BLOCK

    way_down: Tensor
    light_down: Tensor
    slopes: Tensor
    way_up: Tensor
    usual_light: Tensor
    reach: int

    def __init__(self, width: int = 24, depth: int = 2, strokes: float = 1.0, adaptive: bool = False) -> None:
        super().__init__()
        if width < 2 * COLOURS or depth < 1:
            raise ValueError(f"RealtimeGenerator: expected width >= {2 * COLOURS} and depth >= 1, got {width} and {depth}")
        if not 0 <= strokes < math.inf:
            raise ValueError(f"RealtimeGenerator: expected strokes >= 0, got {strokes}")
        self.width = width
        self.stem = nn.Conv2d(COLOURS, width, 3)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.deep = nn.Sequential(*(Separable(2 * width) for _ in range(depth)))
        self.up = EdgeConv2d(2 * width, width, 1)
        self.head = EdgeConv2d(width, COLOURS, 1)
        self.gain = nn.Parameter(torch.tensor(float(strokes)))  # of strokes
        with torch.no_grad():
            for convolution, std in ((self.stem, 0.05), (self.head, 0.05), (self.up, 0.02)):
                nn.init.normal_(convolution.weight, std=std)
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            for colour in range(COLOURS):
                for sign, channel in ((1, colour), (-1, COLOURS + colour)):  # v as leaky(v) - leaky(-v) = (1 + slope) v
                    self.stem.weight[channel, colour, 1, 1] += sign
                    self.head.weight[colour, channel, 0, 0] += sign / (1 + SLOPE)
        self.find_lines, self.brush = FindLines(), Brush()
        self.adaptive = adaptive
        if adaptive:
            self.summarise, self.raised, self.style_colours = Summarise(COLOURS // 3), RaisedColours(), StyleColours()
            self.register_buffer("usual_light", torch.zeros(()))  # the mean of the pictures of content trained on
        # In blocks: stem and way up see one to each side; those on 8x8 pixels two each, going down one, going up two.
        held = StyleColours.reach if adaptive else 0
        self.reach = BLOCK * (1 + 2 * depth + 1 + 2 + held + 1)  # strokes reach no further: 1 + FindLines.reach + 1
        pixels = torch.eye(3 * BLOCK**2).view(-1, 3, BLOCK, BLOCK)  # one for every colour of every pixel of a block
        self.register_buffer("way_down", folded_way_down(pixels, halved(pixels)), persistent=False)
        luma = F.conv2d(pixels, LUMA.view(1, 3, 1, 1))
        self.register_buffer("light_down", folded_way_down(pixels, luma), persistent=False)
        self.register_buffer("slopes", folded_slopes(), persistent=False)
        self.register_buffer("way_up", folded_way_up(), persistent=False)

    def paint(self, frames: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [-1, 1] to the same shape."""
        blocks = self.in_blocks(frames)
        return self.paint_over(frames, blocks, self.overview_of(blocks))

    def overview(self, frames: Tensor) -> Tensor:
        """The mean colour of each frame and, where it adapts, how pale and how soft it is: ``(N, 3 or 5, 1, 1)``."""
        return self.overview_of(self.in_blocks(frames))

    def overview_of(self, blocks: Tensor) -> Tensor:
        """The same, given frames ``in_blocks``."""
        if not self.adapts:
            return mean_colour(blocks)
        seen = self.summarise(blocks)
        parts = [seen.mean, self.raised.missing(seen)[:, None], detail_factor(seen)[:, None]]
        return torch.cat(parts, 1).to(blocks.dtype)[..., None, None]

    @property
    def adapts(self) -> bool:
        """Whether it does so now: training, it does not."""
        return self.adaptive and not self.training

    def unusual_light(self, mean: Tensor) -> Tensor:
        """By how much mean colours ``(N, 3, 1, 1)`` are brighter than those trained on: ``(N, 1, 1, 1)``, 0 while untrained."""
        known = self.style_colours.seen.clamp(max=1).to(mean.dtype)
        return known * (mean.mean(1, keepdim=True) - self.usual_light.to(mean.dtype))

    def gain_in(self, overview: Tensor) -> Tensor:
        """Of strokes of frames, given their overview."""
        return self.gain * overview[:, 4:] if self.adapts else self.gain

    def paint_part(self, part: Tensor, overview: Tensor) -> Tensor:
        return self.paint_over(part, self.in_blocks(part), overview)

    def in_blocks(self, frames: Tensor) -> Tensor:
        """Frames at half size, in blocks ``(N, 12, h, w)``."""
        return convolved(frames, self.way_down, stride=BLOCK)

    def paint_over(self, frames: Tensor, blocks: Tensor, overview: Tensor) -> Tensor:
        """Paint frames, given themselves ``in_blocks`` and the overview of what they are part of."""
        painted, share, lines = self.painted_blocks(blocks, overview)
        full = F.conv2d(repeat_edges(painted, 1), self.way_up.to(painted.dtype)).to(frames.dtype)
        strokes = self.brush(convolved(frames, self.light_down, stride=BLOCK), share, lines)[:, :, None]
        if self.adapts:
            strokes = strokes * self.style_colours.stroke.to(strokes.dtype).view(3, 1, 1)
        full.view(len(full), -1, 3, *full.shape[2:]).add_(strokes)
        return unfold(full, BLOCK).clamp_(-1, 1)

    def painted_blocks(self, blocks: Tensor, overview: Tensor) -> tuple[Tensor, Tensor, Lines]:
        """Frames painted at half size, and what strokes over them are to be: how strong, and along which lines.

        Returns:
            In blocks: ``(N, 12, h, w)``, ``(N, 4, h, w)``, and lines of the same blocks.
        """
        shown, level = blocks, EVEN * overview[:, :3]
        if self.adapts:
            mean, missing, _ = torch.split(overview, [3, 1, 1], 1)
            shown, level = self.raised(blocks, missing), level + self.raised.moved(mean, missing)
            level = level + EVEN_LIGHT * self.unusual_light(mean)
        around = bordered(shown, BLOCK // 2)
        lines = self.find_lines(convolved(full_precision(around), self.slopes))
        shallow = F.leaky_relu(self.stem(around - level.repeat(1, COLOURS // 3, 1, 1)), SLOPE, inplace=True)
        deep = self.up(self.deep(F.leaky_relu(self.down(shallow), SLOPE, inplace=True)))
        both = F.leaky_relu(F.interpolate(deep, scale_factor=2, mode="bilinear").add_(shallow), SLOPE, inplace=True)
        paint = bounded(self.head(both))
        if self.adapts:
            paint = self.style_colours(paint)
        return paint, stroke_share(lines) * self.gain_in(overview), lines

    @torch.no_grad()
    def observe(self, moments: Tensor, share: float = 1.0, anew: bool = False) -> None:
        if self.adaptive:
            self.style_colours.learn(moments[1:], share, anew)  # which counts, for the next line too
            self.usual_light.lerp_(moments[0].to(self.usual_light), share / self.style_colours.seen)


def mean_colour(blocks: Tensor) -> Tensor:
    """``(N, 12, h, w)`` to ``(N, 3, 1, 1)``."""
    return blocks.mean((-2, -1)).view(len(blocks), -1, 3, 1, 1).mean(1)


def bounded(values: Tensor) -> Tensor:
    """tanh, by way of the sigmoid: torch's tanh takes twice as long on a CPU.

    Values times two lie close together; the sigmoid of a few channels of many takes five times as long.
    """
    return torch.rsub(torch.sigmoid(2 * values), -1, alpha=-2)


def folded_way_down(impulses: Tensor, results: Tensor) -> Tensor:
    """What turns blocks of pixels to blocks of others, half-size ones or of one colour, as a convolution by a block at a time.

    Args:
        impulses: ``(n, C, side, side)``, one for every number of a block.
        results: what they become, ``(n, c, s, s)``.

    Returns:
        ``(s^2 c, C, side, side)``.
    """
    filters = fold(results, results.shape[-1]).flatten(1).T.reshape(-1, *impulses.shape[1:])
    return filters.contiguous(memory_format=torch.channels_last)


def folded_way_up() -> Tensor:
    """A smooth doubling of size, from blocks of half-size pixels to blocks of full-size ones, ``(48, 12, 3, 3)``.

    On the half-size pixels [1, 2, 1] / 4 along each axis, which removes exactly whatever repeats with their blocks of two, then
    ``enlarged``.
    """
    return as_convolution(lambda pixels: enlarged(smoothed(pixels)), block=BLOCK)
