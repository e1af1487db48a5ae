"""Skies: smooth fields of related colours, for the skies, walls and shadows that the few photographs at hand do not show.

Without them a network has never painted a large flat area, and on the first sky it meets it paints a glaring one.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

KNOTS = (2, 5)  # per side, between which the field is smooth: the fewest, and one more than the most


def sky(draws: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw a sky: one colour, lighter and darker from place to place, with some change of hue.

    Args:
        draws: source of randomness.
        size: (height, width) in pixels.

    Returns:
        ``(H, W, 3)`` RGB.
    """
    knots = int(draws.integers(*KNOTS))
    change = draws.uniform(-128, 128, (knots, knots, 3))
    light = change.mean(-1, keepdims=True) * draws.uniform(0.1, 0.9)
    field = draws.uniform(0, 255, 3) + light + change * draws.uniform(0, 0.4)
    smooth = cv2.resize(field.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.rint(np.clip(smooth, 0, 255)), dtype=np.uint8)
