"""Which clips meet in which batch: a function of (seed, epoch, index) alone, for any number of workers and ranks."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from datamodules.batch import ClipBatch
from datamodules.failures import read
from datamodules.random import Draw, rng
from datamodules.source import ClipSource


@lru_cache(maxsize=4)  # two domains, each at the end of one pass and the start of the next
def order(seed: int, domain: str, turn: int, length: int) -> NDArray[np.int64]:
    """The order in which one pass takes the ``length`` clips of a domain."""
    return rng(seed, f"{domain} order", turn).permutation(length)


def _join(content: ClipSource, style: ClipSource, draw: Draw, content_draw: Draw, style_draw: Draw) -> ClipBatch:
    """One sample, without the leading B: ``draw`` names it, the other two the clips meant for it."""
    content_clip, _, content_failed = read(content, content_draw, "content")
    style_clip, shown, style_failed = read(style, style_draw, "style")
    style_id = torch.tensor(style.style_id(shown))
    return ClipBatch(content_clip, style_clip, style_id, (draw,), (*content_failed, *style_failed))


class Unpaired(Dataset[ClipBatch]):
    """Joins a content clip and an independently chosen style clip. Indexed by ``Draw``, whose epoch is always 0.

    Args:
        content: the clips to be repainted.
        style: the clips that show the style.
        length: samples of an epoch over all ranks.
    """

    def __init__(self, content: ClipSource, style: ClipSource, length: int) -> None:
        self.content, self.style, self.length = content, style, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, draw: Draw) -> ClipBatch:
        chosen = (self._choose(draw, "content", len(self.content)), self._choose(draw, "style", len(self.style)))
        return _join(self.content, self.style, draw, *chosen)

    def _choose(self, draw: Draw, domain: str, clips: int) -> Draw:
        # Every clip of a domain is used equally often: pass after pass, each in a new order.
        turn, place = divmod(draw.index, clips)
        # The epoch given on counts passes through the source, so that no two passes draw alike.
        return Draw(draw.seed, turn, int(order(draw.seed, domain, turn, clips)[place]))


class Validation(Dataset[ClipBatch]):
    """The same samples every time: content clip i with style clip i, as index alone decides."""

    def __init__(self, content: ClipSource, style: ClipSource, seed: int) -> None:
        self.content, self.style, self.seed = content, style, seed

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, index: int) -> ClipBatch:
        draw = Draw(self.seed, 0, index)
        return _join(self.content, self.style, draw, draw, draw._replace(index=index % len(self.style)))


class DrawSampler(Sampler[Draw]):
    """Names the samples of an epoch, those of this rank only, from the first batch that is not done yet.

    Samples are numbered from the beginning of the run. Global batch b holds samples b * ranks * batch_size and on; each rank
    takes its run of ``batch_size``. So the order is the same for any number of ranks, size of batch and length of epoch.

    Args:
        seed: of the run.
        batches: batches in an epoch of each rank.
        batch_size: samples of a batch on one rank.
        rank, ranks: which of how many.
        done: says how many batches each rank has worked on since the run began; asked when an iteration starts. It takes the
            place of ``set_epoch``, which after a resume comes too late: by then workers have read ahead.
    """

    def __init__(
        self, seed: int, batches: int, batch_size: int, rank: int = 0, ranks: int = 1, done: Callable[[], int] = lambda: 0
    ) -> None:
        self.seed, self.batches, self.batch_size = seed, batches, batch_size
        self.rank, self.ranks, self.done = rank, ranks, done

    def __len__(self) -> int:
        return self.batches * self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        done = self.done()
        for batch in range(done, (done // self.batches + 1) * self.batches):
            first = (batch * self.ranks + self.rank) * self.batch_size
            for number in range(first, first + self.batch_size):
                yield Draw(self.seed, 0, number)
