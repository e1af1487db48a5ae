"""Backward warping, in the convention of ``datamodules.batch``: pixels, x first, centres at integers."""

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Coordinates of the pixel centres, ``(2, H, W)``, x first, of ``like``'s dtype and device."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=like.dtype, device=like.device),
        torch.arange(width, dtype=like.dtype, device=like.device),
        indexing="ij",
    )
    return torch.stack([x, y])


def sample(frames: Tensor, position: Tensor) -> Tensor:
    """Bilinear reading of frames at given places; outside the picture the border is repeated.

    Args:
        frames: ``(..., C, H, W)``, any range.
        position: ``(..., 2, h, w)`` in pixels of ``frames``, x first.

    Returns:
        ``(..., C, h, w)``.
    """
    height, width = frames.shape[-2:]
    # grid_sample wants [-1, 1] from the first centre to the last (align_corners=True); a side of one pixel is all centre.
    scale = position.new_tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)]).view(2, 1, 1)
    grid = (position * scale - 1).reshape(-1, *position.shape[-3:]).movedim(-3, -1)
    # Positions need more digits than half precision has, so the frames are raised, not the positions lowered.
    dtype = torch.promote_types(frames.dtype, grid.dtype)
    flat = frames.reshape(-1, *frames.shape[-3:]).to(dtype)
    read = F.grid_sample(flat, grid.to(dtype), mode="bilinear", padding_mode="border", align_corners=True)
    return read.reshape(*frames.shape[:-2], *position.shape[-2:]).to(frames.dtype)


def warp(frames: Tensor, flow: Tensor) -> Tensor:
    """``out[p] = frames[p + flow[p]]``, bilinear, borders repeated.

    Args:
        frames: ``(..., C, H, W)``, any range.
        flow: ``(..., 2, H, W)`` in pixels, x first, with the same leading sizes.

    Returns:
        ``(..., C, H, W)``, aligned with the frame that ``flow`` was computed for.

    Raises:
        ValueError: the sizes do not agree.
    """
    if frames.shape[:-3] != flow.shape[:-3] or frames.shape[-2:] != flow.shape[-2:] or flow.shape[-3] != 2:
        raise ValueError(f"warp: expected flow (..., 2, H, W) matching frames {tuple(frames.shape)}, got {tuple(flow.shape)}")
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    return sample(frames, flow + pixel_grid(flow.shape[-2], flow.shape[-1], flow))
