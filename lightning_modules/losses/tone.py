"""Light stays light and shade stays shade, however strong or pale they are painted.

Distances to the style look at what there is in a picture, not where: one painted as its own negative can be as near to them.
"""

from torch import Tensor

from lightning_modules.ops.contrast import shade
from lightning_modules.ops.statistics import full_precision

FLAT = 0.02  # standard deviation of brightness, on [-1, 1], below which there is no light and shade to speak of


def tone_distance(painted: Tensor, content: Tensor) -> Tensor:
    """1 - correlation of a frame's coarse light and shade with the content's; mean over frames.

    Args:
        painted: ``(..., 3, H, W)``.
        content: the same shape.

    Returns:
        A scalar in [0, 2]: 0 where the brightness of regions is a rising linear function of the content's, 2 where it is a
        falling one; any such function of a frame is as good, so that neither palette nor contrast is held back.
    """
    ours, theirs = (shade(full_precision(frames).flatten(0, -4)) for frames in (painted, content))
    together = (ours * theirs).mean(1) + FLAT**2  # two flat frames agree
    sizes = (ours.square().mean(1) + FLAT**2) * (theirs.square().mean(1) + FLAT**2)
    return (1 - together / sizes.sqrt()).mean()
