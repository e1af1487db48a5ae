"""Frozen estimators of optical flow, for clips that bring none. No gradient flows through any of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
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

# Of OpenCV's medium preset, which has these settings otherwise: stride of the patches, descents, refinements.
_MEDIUM, _QUICK = (3, 25, 5), (4, 8, 3)
_LEAST_SIDE = 32  # of frames given to DIS, in pixels


class FlowEstimator(Frozen, ABC):
    """Estimates how the content of clips moves, as ``datamodules.batch`` defines it. Subclasses implement ``between``."""

    def estimate(self, frames: Tensor, gap: int = 1) -> tuple[Tensor, Tensor]:
        """Flow of every pair of frames at a distance in time, and where it can be trusted.

        Args:
            frames: ``(B, T, 3, H, W)`` in [-1, 1].
            gap: from the first to the second frame of a pair, >= 1; 1 takes consecutive frames.

        Returns:
            ``flow (B, T - gap, 2, H, W)`` backward, from frame t + gap into frame t, in pixels, and
            ``visible (B, T - gap, 1, H, W)`` in {0, 1}, which is 1 where the flow forward and back again agrees
            (``consistency_mask``) and stays within the picture; both float32. Clips of at most ``gap`` frames have none.

        Raises:
            ValueError: a gap below 1.
        """
        if gap < 1:
            raise ValueError(f"gap: expected 1 or more frames, got {gap}; 1 takes consecutive frames")
        batch, length = frames.shape[:2]
        if length <= gap:
            empty = frames.new_zeros(batch, 0, 2, *frames.shape[-2:], dtype=torch.float32)
            return empty, empty[:, :, :1]
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            backward, forward = self.both_ways(frames, gap)
            # One pair at a time: quicker than all at once, whose values do not fit into a cache.
            each = zip(torch.split(forward, 1), torch.split(backward, 1), strict=True)
            visible = torch.cat([consistency_mask(there, back) * inside(back) for there, back in each])
        pairs = (batch, length - gap)
        return backward.reshape(*pairs, *backward.shape[1:]), visible.reshape(*pairs, *visible.shape[1:])

    def both_ways(self, frames: Tensor, gap: int) -> tuple[Tensor, Tensor]:
        """Flow from frames t + gap into frames t, and from these into those; each ``(B * (T - gap), 2, H, W)``."""
        early, late = frames[:, :-gap].flatten(0, 1).float(), frames[:, gap:].flatten(0, 1).float()
        return self.between(late, early), self.between(early, late)

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
    """Dense inverse search (Kroeger et al. 2016) as in OpenCV, on the CPU: needs no weights and is quick.

    Frames are padded to 32 pixels, because OpenCV crashes on a side of 8. Pairs are shared out among as many threads as torch
    uses; their number changes no result.

    Args:
        preset: ``medium``, OpenCV's, or ``quick``: less than half the work, nearly as exact (0.23 pixels of error in place of
            0.22 on Middlebury's RubberWhale), where OpenCV's own ``fast`` has 0.44 and doubles the warping error of real clips.
    """

    def __init__(self, preset: Literal["quick", "medium"] = "medium") -> None:
        super().__init__()
        if preset not in ("quick", "medium"):
            raise ValueError(f"preset: expected quick or medium, got {preset!r}; choose one")
        self.settings = _QUICK if preset == "quick" else _MEDIUM

    def between(self, here: Tensor, there: Tensor) -> Tensor:
        """As the base class says."""
        return self._search(zip(_luma(here), _luma(there), strict=True), here)

    def both_ways(self, frames: Tensor, gap: int) -> tuple[Tensor, Tensor]:
        """As the base class says; every frame is made grey once."""
        grey = _luma(frames.flatten(0, 1).float()).reshape(*frames.shape[:2], -1)
        sides = [max(side, _LEAST_SIDE) for side in frames.shape[-2:]]
        early, late = grey[:, :-gap].reshape(-1, *sides), grey[:, gap:].reshape(-1, *sides)
        backward, forward = self._search([*zip(late, early, strict=True), *zip(early, late, strict=True)], frames).chunk(2)
        return backward, forward

    def _search(self, pairs: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]], like: Tensor) -> Tensor:
        """Flow of all pairs, of the size and on the device of ``like``."""
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            flows = list(threads.map(self._flow, pairs))
        return torch.from_numpy(np.stack(flows)).movedim(-1, 1)[..., : like.shape[-2], : like.shape[-1]].to(like.device)

    def _flow(self, pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> NDArray[np.float32]:
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # its buffers are of one pair: each has its own
        stride, descents, refinements = self.settings
        search.setPatchStride(stride)
        search.setGradientDescentIterations(descents)
        search.setVariationalRefinementIterations(refinements)
        return np.asarray(search.calc(*pair, np.empty(0)), np.float32)


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


def _luma(frames: Tensor) -> NDArray[np.uint8]:
    """Grey pictures ``(N, H, W)`` in uint8, of the sides that DIS can do."""
    red, green, blue = (_padded(frames, 1, _LEAST_SIDE) + 1).mul_(127.5).unbind(1)
    grey = (red * 0.299).add_(green * 0.587).add_(blue * 0.114)
    return np.asarray(grey.round_().clamp_(0, 255).byte().cpu())
