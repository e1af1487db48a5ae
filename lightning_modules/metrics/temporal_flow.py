"""Whether things move in the output as they do in the reference: tOF of TecoGAN (Chu et al. 2020, "Learning temporal coherence
via self-supervision for GAN-based video generation"), and which frames and pixels its published script looks at.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric

# Pyramid scale, levels, window, iterations, neighbourhood, its smoothing, flags: of the published script.
_FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)
_DROPPED = 2  # frames at each end
_MULTIPLE, _MARGIN = 32, 16  # of the sides that are looked at, and the least that is cut off a side, in pixels


def judged_part(clips: Tensor) -> tuple[slice, slice, slice]:
    """The frames, rows and columns of clips that TecoGAN's script judges.

    It drops two frames at each end and cuts each side, around its middle, to the largest multiple of 32 that leaves out at
    least 16 pixels. Where clips are too short (T < 6), as many are dropped at both ends as leave two frames; sides of
    less than 48 pixels, of which nothing would be left, stay whole.

    Args:
        clips: ``(B, T, C, H, W)``, T >= 2.

    Returns:
        Slices of T, H and W.
    """
    length, (height, width) = clips.shape[1], clips.shape[-2:]
    dropped = min(_DROPPED, (length - 2) // 2)
    return slice(dropped, length - dropped), _middle(height), _middle(width)


def temporal_flow_errors(output: Tensor, reference: Tensor) -> Tensor:
    """The tOF of each clip: how far the flow of the output's frames is from that of the reference's, mean over pairs.

    Flow of consecutive frames in grey of 8 bits is estimated by OpenCV's Farneback method, on whole frames; which pairs and
    pixels count says ``judged_part``.

    Args:
        output: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2.
        reference: the same shape; in the unpaired case the content.

    Returns:
        ``(B,)`` >= 0 in pixels, float64.

    Raises:
        ValueError: single frames, or shapes that differ.
    """
    check_clips("temporal_flow", output, reference)
    times, rows, columns = judged_part(output)
    grey = [_grey(clips[:, times]) for clips in (output, reference)]
    pairs = [pair for clips in grey for clip in clips for pair in pairwise(clip)]
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        flow = np.stack(list(threads.map(_farneback, pairs))).reshape(2, len(output), -1, *output.shape[-2:], 2)
    apart = (flow[0] - flow[1])[:, :, rows, columns]
    return torch.from_numpy(np.linalg.norm(apart, axis=-1).mean((1, 2, 3), dtype=np.float64))


def check_clips(name: str, output: Tensor, reference: Tensor) -> None:
    """Refuse what has no motion to compare.

    Raises:
        ValueError: single frames, or shapes that differ.
    """
    if output.dim() != 5 or output.shape != reference.shape or output.shape[1] < 2:
        raise ValueError(
            f"{name}: expected output and reference (B, T, 3, H, W) of one shape with two frames or more, "
            f"got {tuple(output.shape)} and {tuple(reference.shape)}; compare a clip with its own repainting"
        )


class TemporalFlow(ClipMetric):
    """tOF = mean over clips, pairs and pixels of |Farneback(O[t], O[t + 1]) - Farneback(I[t], I[t + 1])|, in pixels, >= 0.

    Lower is better: 0 for the reference I itself. Noise and brush strokes that stay on the screen raise it; a frozen output
    scores the mean motion of the reference, not 0. Chu et al. 2020 (TecoGAN), frames, crop and parameters as in their script
    (``judged_part``); theirs takes the mean over pairs of all clips or over clips, here it is that over clips.

    Args:
        resamples: of the bootstrap.
        seed: of the resamples.
    """

    higher_is_better = False

    def __init__(self, resamples: int = 0, seed: int = 0) -> None:
        super().__init__(2, resamples, seed)

    def update(self, output: Tensor, reference: Tensor, numbers: list[int] | None = None) -> None:
        """Take clips, as ``temporal_flow_errors`` does."""
        errors = temporal_flow_errors(output, reference)
        self.add(torch.stack([errors, torch.ones_like(errors)], dim=1), numbers)

    def value(self, sums: Tensor) -> Tensor:
        return sums[..., 0] / sums[..., 1]


def _middle(side: int) -> slice:
    kept = (side - _MARGIN) // _MULTIPLE * _MULTIPLE
    first = (side - kept) // 2
    return slice(first, first + kept) if kept > 0 else slice(side)


def _grey(clips: Tensor) -> list[list[NDArray[np.uint8]]]:
    """Every frame of every clip, rounded to 8 bits as in a file, then grey."""
    bytes_ = ((clips.float() + 1) * 127.5).round_().clamp_(0, 255).byte().movedim(-3, -1).cpu().contiguous().numpy()
    return [[cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip] for clip in bytes_]


def _farneback(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> NDArray[np.float32]:
    return np.asarray(cv2.calcOpticalFlowFarneback(*pair, None, *_FARNEBACK), np.float32)  # type: ignore[call-overload]
