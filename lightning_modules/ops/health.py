"""Numbers that tell a failing painter, from what it was given and what it made of it.

Every function returns two sums, a numerator and a denominator; added over devices, their quotient is the number. Where the
denominator is 0 there is no number: nothing moved, or there was nothing to see. Clips are ``(B, T, 3, H, W)`` in [-1, 1].
"""

import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.contrast import shade
from lightning_modules.ops.statistics import full_precision

GRID = 4  # pixels after which a pattern repeats: what two transposed convolutions or blocks of 4 leave; 2 is within it
MOVES = 0.1  # least difference from frame to frame, of 2, at a pixel that moves; sensor noise of 2/255 is a sixth of it
TINY = 1e-6  # mean square per value, on [-1, 1], below which a picture holds nothing: a hundredth of a quantisation step's


def measure(painted: Tensor, content: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """All numbers' two sums, scalars in float32.

    Args:
        painted: clips, what was made of ``content``.
        content: of the same shape.
    """
    painted, content = full_precision(painted), full_precision(content)
    frames, originals = painted.flatten(0, 1), content.flatten(0, 1)
    return {
        "change": change(frames, originals),
        "contrast": contrast(frames, originals),
        "tone": tone(frames, originals),
        "checkerboard": checkerboard(frames, originals),
        "motion": motion(painted, content),
    }


def change(painted: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute difference of frames ``(N, 3, H, W)`` to the content's, as a share of the full range; 0 for a copy."""
    return (painted - content).abs().sum() / 2, content.new_tensor(content.numel())


def contrast(painted: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
    """Variance within frames ``(N, 3, H, W)`` relative to the content's; 0 for one colour all over."""
    return painted.var((2, 3)).sum(), _something(content.var((2, 3))).sum()


def tone(painted: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation of light and shade, blurred, in frames ``(N, 3, H, W)`` with the content's; -1 where inverted."""
    ours, theirs = shade(painted), shade(content)
    sizes = _something(ours.square().mean(1)) * _something(theirs.square().mean(1))
    return ((ours * theirs).mean(1) * (sizes > 0)).sum(), sizes.sqrt().sum()


def checkerboard(painted: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the energy of fine detail that repeats every 2 or 4 pixels, less the content's share.

    Args:
        painted: frames ``(N, 3, H, W)``, both sides at least ``GRID``.
        content: of the same shape.
    """
    (grid, detail), (natural, whole) = _grid(painted), _grid(content)
    share = (natural / whole.clamp(min=TINY)).clamp(max=1)
    return (grid - share * detail).sum(), detail.sum()


def motion(painted: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute difference from frame to frame relative to the content's, where the content moves; 0 when frozen."""
    ours, theirs = (clips.diff(dim=1).abs() for clips in (painted, content))
    moves = theirs.mean(2, keepdim=True) > MOVES
    return (ours * moves).sum(), (theirs * moves).sum()


def _something(energy: Tensor) -> Tensor:
    """Energies, with 0 for those that are rounding."""
    return energy * (energy > TINY)


def _grid(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squares ``(N,)`` of what repeats every ``GRID`` pixels, and of all fine detail."""
    height, width = (side - side % GRID for side in frames.shape[-2:])
    blurred = F.avg_pool2d(frames, 5, stride=1, padding=2, count_include_pad=False)
    phases = F.pixel_unshuffle((frames - blurred)[..., :height, :width], GRID)
    detail = _something(phases.square().mean((1, 2, 3)))
    return phases.mean((2, 3)).square().mean(1) * (detail > 0), detail
