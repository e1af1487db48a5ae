"""Frames in tiles: the same as painting them whole, in memory that does not grow with their size.

A tile is painted with as much of the frame around it as its pixels depend on, which is then cut off. Where the frame ends,
tiles end too, and the network continues the picture there as it always does. Only networks qualify whose every pixel depends
on a bounded neighbourhood, and on no more of the rest than its overview.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from fit.stream import AnySize, Paint, load_whole
from lightning_modules.generators.base import Generator


def load_tiled(checkpoint: Path, device: str, tile: int) -> Paint:
    """The averaged generator of a checkpoint, painting frames of any size in tiles.

    Args:
        checkpoint: its path.
        device: where to paint.
        tile: side of a tile in pixels, without what is cut off.

    Raises:
        CheckpointError: as ``load_paint``.
        ValueError: the network cannot paint in tiles.
    """
    network = load_whole(checkpoint, device).stylizer()
    if network.reach is None:
        raise ValueError(
            f"--tile: {type(network).__name__} cannot paint in tiles, since each of its pixels depends on the whole frame "
            "(it normalises by means over all of it); leave --tile out"
        )
    return AnySize(tiled(network, tile, network.reach), network.size_multiple, network.min_size)


def tiled(network: Generator, tile: int, reach: int) -> Paint:
    """Paint in tiles what a network would paint whole, frames whose sides it can take.

    Args:
        network: of a bounded reach.
        tile: side of a tile in pixels; raised to the next multiple of the network's.
        reach: how much more of the frame is seen at least on each side of a tile, in pixels.
    """
    multiple = network.size_multiple
    side, border = (-(-least // multiple) * multiple for least in (tile, max(reach, network.min_size)))

    def paint_tiled(frames: Tensor) -> Tensor:
        painted, overview = torch.empty_like(frames), network.overview(frames)
        for rows, columns in product(spans(frames.shape[-2], side, border), spans(frames.shape[-1], side, border)):
            seen = network.paint_part(frames[..., rows.seen, columns.seen], overview)
            painted[..., rows.kept, columns.kept] = seen[..., rows.within, columns.within]
        return painted

    return paint_tiled


class Span:
    """One tile along one axis.

    Args:
        start: its first pixel in the frame.
        stop: the pixel behind its last.
        border: how much more of the frame is seen on either side, as far as there is so much.
        length: of the frame.

    Attributes:
        kept: the tile in the frame.
        seen: the tile and its borders in the frame.
        within: the tile in what is seen.
    """

    def __init__(self, start: int, stop: int, border: int, length: int) -> None:
        first, last = max(0, start - border), min(length, stop + border)
        self.kept, self.seen, self.within = slice(start, stop), slice(first, last), slice(start - first, stop - first)


def spans(length: int, side: int, border: int) -> Iterator[Span]:
    """Tiles that cover ``length`` pixels, each of ``side`` but the last."""
    return (Span(start, min(start + side, length), border, length) for start in range(0, length, side))
