"""Frames of any size to the one size of a source: resized so as to cover it, the rest cut off."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def cover(frames: NDArray[np.uint8], size: tuple[int, int], place: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Resize, keeping the proportions, until ``size`` is just covered, and cut off what stands out.

    The window is cut first, in whole pixels of the input, so that only what is kept is resized; proportions are kept to
    within one such pixel. Shrinking averages areas, enlarging interpolates with cubics.

    Args:
        frames: ``(T, h, w, 3)``.
        size: (height, width) of the result.
        place: of the window: 0 is top or left, towards 1 is bottom or right; None is the centre.

    Returns:
        ``(T, *size, 3)``.
    """
    height, width = frames.shape[1:3]
    scale = max(size[0] / height, size[1] / width)
    rows, columns = min(height, max(1, round(size[0] / scale))), min(width, max(1, round(size[1] / scale)))
    if place is None:
        top, left = (height - rows) // 2, (width - columns) // 2
    else:
        top, left = int(place[0] * (height - rows + 1)), int(place[1] * (width - columns + 1))
    window = frames[:, top : top + rows, left : left + columns]
    if (rows, columns) == size:
        return window
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, size[::-1], interpolation=method) for frame in window]).astype(np.uint8, copy=False)


def channels_first(frames: NDArray[np.uint8]) -> Tensor:
    """``(T, H, W, 3)`` to ``(T, 3, H, W)``, in memory of its own."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
