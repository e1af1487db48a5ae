"""A memory of what the generators made earlier, so that critics do not chase the latest pictures only."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """The image pool of Shrivastava et al. 2017 as CycleGAN uses it, for pictures or whole clips.

    While it fills, what comes in is stored and returned. Once full, each item is with probability 1/2 exchanged for a stored
    one, and otherwise returned untouched. Its content is part of ``state_dict``, so that a resumed run goes on as it would
    have.

    Args:
        size: how many items it holds; 0 switches it off.

    Raises:
        ValueError: a negative size.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"Pool: expected a size of 0 or more, got {size}; 0 switches the pool off")
        self.size = size
        self.items: list[Tensor] = []

    def forward(self, batch: Tensor, draws: np.random.Generator) -> Tensor:
        """Store some, return some.

        Args:
            batch: ``(B, ...)``; its graph is never kept.
            draws: where chance comes from; the pool has none of its own.

        Returns:
            ``(B, ...)``, detached, of the batch's device and type.
        """
        batch = batch.detach()
        if self.size == 0:
            return batch
        if self.items and self.items[0].shape != batch.shape[1:]:
            self.items = []  # fine-tuning at another size starts with an empty memory
        return torch.stack([self._exchange(item, draws).to(batch) for item in batch])

    def _exchange(self, item: Tensor, draws: np.random.Generator) -> Tensor:
        if len(self.items) < self.size:
            self.items.append(item.clone())
            return item
        if draws.random() < 0.5:
            return item
        place = int(draws.integers(len(self.items)))
        stored, self.items[place] = self.items[place], item.clone()
        return stored

    def get_extra_state(self) -> dict[str, Any]:
        """What is stored, as plain tensors that load with ``weights_only=True``."""
        return {"items": list(self.items)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """The reverse; of a larger pool only as many items as fit are taken."""
        self.items = list(state["items"])[: self.size]


class Recent(nn.Module):
    """The latest pictures seen, the newest last; part of ``state_dict`` like a pool's.

    Args:
        size: how many pictures to keep, >= 1; of a larger batch, all.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.items = torch.empty(0)

    def forward(self, batch: Tensor) -> Tensor:
        """Add pictures ``(B, ...)`` and return all that are kept, ``(N, ...)``; gradients reach those of the batch alone."""
        known = self.items.to(batch) if self.items.shape[1:] == batch.shape[1:] else batch[:0]
        kept = torch.cat([known, batch])[-max(self.size, len(batch)) :]
        self.items = kept.detach()
        return kept

    def get_extra_state(self) -> dict[str, Tensor]:
        """What is kept."""
        return {"items": self.items}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """The reverse."""
        self.items = state["items"]
