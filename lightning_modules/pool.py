"""What training remembers of earlier pictures, for each slot of the global batch by itself."""

from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.slots import Slots


class Memory(nn.Module):
    """Pictures or clips kept for each slot; part of ``state_dict``, so that a resumed run goes on as it would have.

    A device keeps its own slots only. ``StyleMethod`` joins those of all devices in a checkpoint.

    Args:
        size: how many are kept, over all slots or for each, as the class says.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.items: dict[int, list[Tensor]] = {}

    def prepare(self, batch: Tensor, slots: Slots) -> None:
        """Forget slots of other devices, which a checkpoint brings, and pictures of another size, after which all is new."""
        fitting = {slot: kept for slot, kept in self.items.items() if kept and kept[0].shape == batch.shape[1:]}
        self.items = {slot: fitting.get(slot, []) for slot in slots.mine}

    def get_extra_state(self) -> dict[str, Any]:
        """What is kept, as plain tensors that load with ``weights_only=True``."""
        return {"items": {slot: list(kept) for slot, kept in self.items.items()}}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """The reverse."""
        self.items = {slot: list(kept) for slot, kept in state["items"].items()}


class Pool(Memory):
    """The image pool of Shrivastava et al. 2017 as CycleGAN uses it, for pictures or whole clips; critics are shown it.

    While a slot's share fills, what comes in is stored and returned. Once full, each item is with probability 1/2 exchanged
    for a stored one of its slot, and otherwise returned untouched.

    Args:
        size: how many items it holds over all slots, at least one for each; 0 switches it off.

    Raises:
        ValueError: a negative size.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__(size)
        if size < 0:
            raise ValueError(f"Pool: expected a size of 0 or more, got {size}; 0 switches the pool off")

    def forward(self, batch: Tensor, slots: Slots, stream: str = "pool") -> Tensor:
        """Store some, return some.

        Args:
            batch: ``(B, ...)``; its graph is never kept.
            slots: of the batch's items.
            stream: names this pool's chance.

        Returns:
            ``(B, ...)``, detached, of the batch's device and type.
        """
        batch = batch.detach()
        if self.size == 0:
            return batch
        self.prepare(batch, slots)
        share = -(-self.size // slots.total)
        shown = []
        for item, good, slot, draws in zip(batch, _finite(batch), slots.here, slots.draws(stream), strict=True):
            stored = self.items[slot] = self.items[slot][:share]  # fewer after a resume with a larger global batch
            if good and len(stored) < share:
                stored.append(item.clone())
            elif good and draws.random() >= 0.5:
                place = int(draws.integers(share))
                item, stored[place] = stored[place], item.clone()
            shown.append(item.to(batch))
        return torch.stack(shown)


class Recent(Memory):
    """The latest pictures of each slot.

    Args:
        size: how many to keep for each slot, >= 1.
    """

    def forward(self, batch: Tensor, slots: Slots) -> list[Tensor]:
        """Add pictures ``(B, ...)``; what each slot keeps, ``(N, ...)``, the newest last. Gradients reach that one alone."""
        self.prepare(batch, slots)
        known = []
        for item, good, slot in zip(batch, _finite(batch), slots.here, strict=True):
            older = [picture.to(batch) for picture in self.items[slot]][-(self.size - 1) :] if self.size > 1 else []
            self.items[slot] = [*older, *([item.detach().clone()] if good else [])]
            known.append(torch.stack([*older, item]))
        return known


def _finite(batch: Tensor) -> list[bool]:
    """Which can be kept: one bad picture must spoil one update, not all that follow."""
    return batch.detach().flatten(1).isfinite().all(1).tolist()
