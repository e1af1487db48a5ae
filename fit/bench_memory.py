"""How much memory a training step needs: what the GPU had allocated at most, or on a CPU what autograd kept at most."""

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Kept:
    """Counts the bytes that autograd keeps for backward passes, shared storage once.

    Args:
        known: tensors that are there anyhow, such as weights; their storage counts nothing.
    """

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        self.bytes = self.peak = 0
        self.holders = Counter(tensor.untyped_storage().data_ptr() for tensor in known)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what is kept while this is open."""
        with torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept.tensor):
            yield

    def _keep(self, tensor: Tensor) -> "Holder":
        storage, kept = tensor.untyped_storage(), Holder(tensor)
        address, size = storage.data_ptr(), storage.nbytes()
        self._hold(address, size)
        weakref.finalize(kept, self._let_go, address, size)
        return kept

    def _hold(self, address: int, size: int) -> None:
        if not self.holders[address]:
            self.bytes += size
            self.peak = max(self.peak, self.bytes)
        self.holders[address] += 1

    def _let_go(self, address: int, size: int) -> None:
        self.holders[address] -= 1
        if not self.holders[address]:
            self.bytes -= size


class Holder:
    """What autograd is given in place of a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
