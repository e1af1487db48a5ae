"""Arithmetic of flow fields ``(..., 2, H, W)``: pixels, x first, read as "look at p + flow[p]" (``datamodules.batch``)."""

import torch
from torch import Tensor

from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.warp import pixel_grid, warp


def inside(flow: Tensor) -> Tensor:
    """Where p + flow[p] lies within the picture.

    Args:
        flow: ``(..., 2, H, W)`` in pixels.

    Returns:
        ``(..., 1, H, W)`` in {0, 1}, float32.
    """
    height, width = flow.shape[-2:]
    x, y = (flow.float() + pixel_grid(height, width, flow.float())).unbind(-3)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).unsqueeze(-3).float()


def consistency_mask(forward: Tensor, backward: Tensor) -> Tensor:
    """Where a backward flow can be trusted: there and back again ends where it began, away from motion boundaries.

    The rule and constants of Lai et al. 2018 (``detect_occlusion`` of fast_blind_video_consistency), after Ruder et al.
    2016, with |.|^2 for squared lengths and f' the forward flow read at the end of b: hidden if
    |f' + b|^2 > 0.01 (|f'|^2 + |b|^2) + 0.5, or at a boundary, |grad b|^2 > 0.01 |b|^2 + 0.002.

    Args:
        forward: ``(..., 2, H, W)`` in pixels, from frame t to t + 1, on the grid of frame t.
        backward: the same shape, from frame t + 1 to t, on the grid of frame t + 1.

    Returns:
        ``(..., 1, H, W)`` in {0, 1}, float32, on the grid of frame t + 1: 1 is visible.
    """
    returned = warp(forward.float(), backward)
    backward = backward.float()
    length = _squared(backward)
    hidden = _squared(returned + backward) > 0.01 * (_squared(returned) + length) + 0.5
    boundary = _squared_gradient(backward) > 0.01 * length + 0.002
    return 1 - (hidden | boundary).float()


def invert(flow: Tensor, iterations: int = 10) -> Tensor:
    """The flow back: g with g[q] = -flow[q + g[q]], by fixed-point iteration.

    Exact for smooth flow that changes by less than a pixel from pixel to pixel; elsewhere, and where the way back leads
    out of the picture, a guess.

    Args:
        flow: ``(..., 2, H, W)`` in pixels, on the grid of frame a, pointing into frame b.
        iterations: each shrinks the error by the flow's steepest slope.

    Returns:
        The same shape, on the grid of b, pointing into a.
    """
    inverse = -flow
    for _ in range(iterations):
        inverse = -warp(flow, inverse)
    return inverse


def compose(first: Tensor, second: Tensor) -> Tensor:
    """One flow for two steps, so that frames are resampled once: like warping by the first and the result by the second.

    Args:
        first: ``(..., 2, H, W)`` in pixels, from frame b into frame a.
        second: the same shape, from frame c into frame b.

    Returns:
        The same shape, from frame c into frame a.
    """
    return second + warp(first, second)


def gap_flow(flow: Tensor, visible: Tensor, gap: int) -> tuple[Tensor, Tensor]:
    """Known flow over several frames, composed of that of consecutive ones.

    Args:
        flow: ``(B, T - 1, 2, H, W)`` backward, in pixels.
        visible: ``(B, T - 1, 1, H, W)`` in {0, 1}, any type.
        gap: frames from the first to the second of a pair, 1 to T - 1.

    Returns:
        ``flow (B, T - gap, 2, H, W)`` from frame t + gap into frame t, and ``visible (B, T - gap, 1, H, W)`` float32 in
        {0, 1}: 1 where every step on the way is visible. Steps are read between four pixels; where one of these is hidden, or
        the flow jumps by a pixel or more from one to the next (the outline of what moves), the reading would be of neither
        side, and the pixel counts as hidden.

    Raises:
        ValueError: a gap that no two frames have.
    """
    if not 1 <= gap <= flow.shape[1]:
        raise ValueError(f"gap: expected 1 to {flow.shape[1]} for {flow.shape[1] + 1} frames, got {gap}; take longer clips")
    pairs = flow.shape[1] - gap + 1
    firm = visible.float() * (_squared_gradient(flow) < 1)
    path, seen = flow[:, gap - 1 :], visible[:, gap - 1 :].float()
    for step in reversed(range(gap - 1)):
        # Rounding leaves 1 a little short of itself; a pixel with less than a thousandth of the weight changes nothing.
        seen = seen * (warp(firm[:, step : step + pairs], path) > 0.999)
        path = compose(flow[:, step : step + pairs], path)
    return path, seen


def align_to_centre(clips: Tensor, flow: Tensor) -> Tensor:
    """Warp every frame of a clip to its centre frame, ``T // 2``.

    Args:
        clips: ``(B, T, C, H, W)``, any range.
        flow: ``(B, T - 1, 2, H, W)`` backward, in pixels.

    Returns:
        ``(B, T, C, H, W)``, at least float32; the centre frame is itself up to rounding, and what is hidden in a frame is
        filled with whatever lies where the flow points. Can be differentiated twice, as penalties on a critic's slope ask.
    """
    centre = clips.shape[1] // 2
    clips, flow = full_precision(clips), flow.float()
    paths = [torch.zeros_like(flow[:, 0])]  # from the centre frame into frame t
    for step in reversed(flow[:, :centre].unbind(1)):
        paths.insert(0, compose(step, paths[0]))
    for step in invert(flow[:, centre:]).unbind(1):
        paths.append(compose(step, paths[-1]))
    return _gather(clips, torch.stack(paths, dim=1))


def _gather(frames: Tensor, flow: Tensor) -> Tensor:
    """As ``warp``, slower, but twice differentiable: torch 2.11 stops at ``grid_sample`` (pytorch issue 34704)."""
    height, width = frames.shape[-2:]
    x, y = (flow + pixel_grid(height, width, flow)).to(frames.dtype).unbind(-3)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    pixels = frames.flatten(-2)
    read = torch.zeros_like(frames)
    for column, share_x in ((left, 1 - (x - left)), ((left + 1).clamp(max=width - 1), x - left)):
        for row, share_y in ((top, 1 - (y - top)), ((top + 1).clamp(max=height - 1), y - top)):
            place = (row * width + column).long().flatten(-2).unsqueeze(-2).expand_as(pixels)
            read = read + pixels.gather(-1, place).view_as(frames) * (share_x * share_y).unsqueeze(-3)
    return read


def _squared(flow: Tensor) -> Tensor:
    x, y = flow.unbind(-3)  # on CPUs three times as fast as a sum over an axis of two
    return (x * x + y * y).unsqueeze(-3)


def _squared_gradient(flow: Tensor) -> Tensor:
    """Forward differences, 0 at the far border, both directions and components together."""
    gradient = flow.new_zeros(*flow.shape[:-3], 1, *flow.shape[-2:])
    gradient[..., :, :-1] += _squared(flow.diff(dim=-1))
    gradient[..., :-1, :] += _squared(flow.diff(dim=-2))
    return gradient
