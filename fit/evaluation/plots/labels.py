"""Places for names beside points, such that none covers another or a point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
_HEIGHT = 15.0  # of a line of text
_RINGS = (11.0, 20.0, 32.0, 46.0, 62.0, 80.0)  # distances from the point, nearest first
_ANGLES = (0, 180, 90, 270, 45, 315, 135, 225)  # degrees; beside the point reads best
_CLEAR = 7.0  # around a point, in pixels


@dataclass(frozen=True)
class Box:
    """A rectangle, and the point its text is about."""

    left: float
    top: float
    right: float
    bottom: float
    point: Point = (0.0, 0.0)

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share any area."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def within(self, other: "Box") -> bool:
        """Whether it lies in the other."""
        inside = self.left >= other.left and self.right <= other.right
        return inside and self.top >= other.top and self.bottom <= other.bottom

    @property
    def detached(self) -> bool:
        """Whether it is so far from its point that a line has to lead there."""
        x, y = self.point
        apart = (max(self.left - x, x - self.right, 0), max(self.top - y, y - self.bottom, 0))
        return math.hypot(*apart) > _RINGS[0] + 1


def place(points: Sequence[Point], widths: Sequence[float], area: Box, others: Sequence[Box] = ()) -> list[Box]:
    """A box for the text of each point: the nearest place where it covers nothing, inside the area.

    Args:
        points: of the texts, in pixels.
        widths: of the texts.
        area: where texts may be.
        others: what else they shall not cover.

    Returns:
        The boxes in the same order. Where there is no free place, the first one inside the area is taken.
    """
    taken = [*others] + [Box(x - _CLEAR, y - _CLEAR, x + _CLEAR, y + _CLEAR) for x, y in points]
    boxes = []
    for point, width in zip(points, widths, strict=True):
        inside = [box for box in _candidates(point, width) if box.within(area)]
        free = [box for box in inside if not any(box.overlaps(other) for other in taken)]
        boxes.append((free or inside or [_box(point, width, 0, _RINGS[0])])[0])
        taken.append(boxes[-1])
    return boxes


def _candidates(point: Point, width: float) -> list[Box]:
    return [_box(point, width, angle, ring) for ring in _RINGS for angle in _ANGLES]


def _box(point: Point, width: float, angle: float, ring: float) -> Box:
    """The box whose nearest side or corner is so far from the point in this direction."""
    right, down = round(math.cos(math.radians(angle)), 6), round(math.sin(math.radians(angle)), 6)
    x = point[0] + ring * right + width / 2 * ((right > 0) - (right < 0))
    y = point[1] + ring * down + _HEIGHT / 2 * ((down > 0) - (down < 0))
    return Box(x - width / 2, y - _HEIGHT / 2, x + width / 2, y + _HEIGHT / 2, point)
