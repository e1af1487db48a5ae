"""Frozen estimators of optical flow, for clips that bring none. No gradient flows through any of them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights, raft_large, raft_small

from lightning_modules.ops.flow import consistency_mask, inside
from lightning_modules.ops.pretrained import Frozen, read_weights


class FlowEstimator(Frozen, ABC):
    """Estimates how the content of clips moves, as ``datamodules.batch`` defines it. Subclasses implement ``between``."""

    def estimate(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Flow of every pair of consecutive frames, and where it can be trusted.

        Args:
            frames: ``(B, T, 3, H, W)`` in [-1, 1].

        Returns:
            ``flow (B, T - 1, 2, H, W)`` backward, in pixels, and ``visible (B, T - 1, 1, H, W)`` in {0, 1}, which is 1 where
            the flow forward and back again agrees (``consistency_mask``) and stays within the picture; both float32.
        """
        batch, length = frames.shape[:2]
        if length < 2:
            empty = frames.new_zeros(batch, 0, 2, *frames.shape[-2:], dtype=torch.float32)
            return empty, empty[:, :, :1]
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            early, late = frames[:, :-1].flatten(0, 1).float(), frames[:, 1:].flatten(0, 1).float()
            backward, forward = self.between(late, early), self.between(early, late)
            visible = consistency_mask(forward, backward) * inside(backward)
        pairs = (batch, length - 1)
        return backward.reshape(*pairs, *backward.shape[1:]), visible.reshape(*pairs, *visible.shape[1:])

    @abstractmethod
    def between(self, here: Tensor, there: Tensor) -> Tensor:
        """Where the content of one frame lies in another.

        Args:
            here: ``(N, 3, H, W)`` float32 in [-1, 1].
            there: the same shape.

        Returns:
            ``(N, 2, H, W)`` in pixels, x first: the content at p of ``here`` is at p + flow[p] of ``there``.
        """


class DISFlow(FlowEstimator):
    """Dense inverse search (Kroeger et al. 2016) as in OpenCV, on the CPU: needs no weights and is quick."""

    def between(self, here: Tensor, there: Tensor) -> Tensor:
        """As the base class says; frames are padded to 32 pixels, because OpenCV crashes on a side of 8."""
        height, width = here.shape[-2:]
        pairs = zip(_grey(_padded(here, 1, 32)), _grey(_padded(there, 1, 32)), strict=True)
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow = torch.from_numpy(np.stack([search.calc(a, b, np.empty(0)) for a, b in pairs]))
        return flow.movedim(-1, 1)[..., :height, :width].to(here.device)


class RAFTFlow(FlowEstimator):
    """RAFT (Teed and Deng 2020) of torchvision.

    Args:
        size: ``small`` (1 million parameters) or ``large`` (5 million).
        weights: a state dict of torchvision's network; by default torchvision's own, from its cache or downloaded.

    Raises:
        ValueError: weights that cannot be had or do not fit.
    """

    def __init__(self, size: Literal["small", "large"] = "small", weights: str | Path | None = None) -> None:
        super().__init__()
        match size:
            case "small":
                published, self.network = Raft_Small_Weights.C_T_V2, raft_small(progress=False)
            case "large":
                published, self.network = Raft_Large_Weights.C_T_SKHT_V2, raft_large(progress=False)
            case _:
                raise ValueError(f"size: expected small or large, got {size!r}; choose one")
        try:
            self.network.load_state_dict(read_weights(published, weights))
        except RuntimeError as error:
            expected = f"the weights of torchvision's raft_{size}"
            raise ValueError(f"{weights}: expected {expected}, got others; pass a file of these or change size") from error
        self.freeze()

    def between(self, here: Tensor, there: Tensor) -> Tensor:
        """As the base class says; frames are padded to the multiples of 8 and the 128 pixels RAFT needs."""
        height, width = here.shape[-2:]
        refinements: list[Tensor] = self.network(_padded(here, 8, 128), _padded(there, 8, 128))
        return refinements[-1][..., :height, :width]


def _padded(frames: Tensor, multiple: int, least: int) -> Tensor:
    """Repeats the last column and row until both sides fit."""
    right, below = (max(side + -side % multiple, least) - side for side in (frames.shape[-1], frames.shape[-2]))
    return F.pad(frames, (0, right, 0, below), mode="replicate")


def _grey(frames: Tensor) -> NDArray[np.uint8]:
    """Luma ``(N, H, W)`` in uint8."""
    weights = frames.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    grey = ((frames + 1) * 127.5 * weights).sum(dim=1)
    return np.asarray(grey.round().clamp(0, 255).byte().cpu())
