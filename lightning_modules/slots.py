"""Places in the global batch: what makes training the same on any number of devices.

The global batch is all clips of one update: those of every device, in every batch whose gradients are added up. Each of its
clips has a place, its slot. Whatever is random or remembered belongs to a slot, never to a device, and every term is a mean
over slots; so devices, accumulation and the size of a batch can be traded for one another.
"""

from typing import NamedTuple

import numpy as np
import torch

from datamodules.random import rng


class Slots(NamedTuple):
    """The slots of one batch on one device.

    Args:
        seed: of the run.
        update: number of the update, >= 0.
        size: clips in the batch.
        rank, ranks: which device of how many.
        part, parts: which batch of those whose gradients are added up.
    """

    seed: int
    update: int
    size: int
    rank: int = 0
    ranks: int = 1
    part: int = 0
    parts: int = 1

    @property
    def total(self) -> int:
        """Clips in the global batch."""
        return self.parts * self.ranks * self.size

    def of_part(self, part: int) -> range:
        """The slots this device has in one batch of the global batch."""
        first = (part * self.ranks + self.rank) * self.size
        return range(first, first + self.size)

    @property
    def here(self) -> range:
        """The slots of this batch's clips, in their order."""
        return self.of_part(self.part)

    @property
    def mine(self) -> set[int]:
        """All slots of this device."""
        return {slot for part in range(self.parts) for slot in self.of_part(part)}

    def draws(self, stream: str) -> list[np.random.Generator]:
        """Where chance comes from, for each clip: a function of seed, update and slot alone."""
        return [rng(self.seed, stream, self.update, slot) for slot in self.here]

    def torch_generators(self, stream: str) -> list[torch.Generator]:
        """The same for torch."""
        return [torch.Generator().manual_seed(int(draws.integers(2**63))) for draws in self.draws(stream)]
