"""A camera moving over a flat picture: smooth homographies, the frames it sees, and the exact flow between them."""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _shift(x: float, y: float) -> Array:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def _turn(angle: float, scale: float) -> Array:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=np.float64)


def _tilt(x: float, y: float) -> Array:
    return np.array([[1, 0, 0], [0, 1, 0], [x, y, 1]], dtype=np.float64)


def random_motion(
    draws: np.random.Generator,
    frames: int,
    size: tuple[int, int],
    texture_size: tuple[int, int],
    speed: float = 0.015,
    view: tuple[float, float] = (0.5, 1.0),
) -> Array:
    """Draw a smooth camera path: translation, rotation, zoom and perspective, each with its own rate and a slow wobble.

    Args:
        draws: source of randomness.
        frames: number of frames, >= 1.
        size: (height, width) of the frames in pixels.
        texture_size: (height, width) of the picture looked at.
        speed: standard deviation of the translation, in sides of the frame per frame.
        view: smallest and largest share of the picture that the frame covers at the start.

    Returns:
        ``(T, 3, 3)``; entry t maps pixel (x, y, 1) of frame t to a pixel of the picture.
    """
    (height, width), (texture_height, texture_width) = size, texture_size
    side = min(height, width)
    scale = draws.uniform(*view) * min(texture_height / height, texture_width / width)
    # The start is drawn so that the first frame lies inside the picture; later ones may leave it (borders are mirrored).
    half = np.array([width, height]) * scale / 2
    low, high = half, np.maximum(half, np.array([texture_width, texture_height]) - half)
    centre = draws.uniform(low, high + 1e-9)
    angle = draws.normal(0, 0.08)
    velocity = draws.normal(0, speed * side, 2)
    spin, zoom = draws.normal(0, 0.4 * speed), draws.normal(0, 0.5 * speed)
    tilt, tilting = draws.normal(0, 0.1 / side, 2), draws.normal(0, 0.2 * speed / side, 2)
    wobble, phase, pace = draws.normal(0, 0.2 * speed * side, 2), draws.uniform(0, 2 * np.pi, 2), draws.uniform(0.2, 0.8)
    path = []
    for t in range(frames):
        moved = velocity * t + wobble * (np.sin(phase + pace * t) - np.sin(phase))
        inner = _tilt(*(tilt + tilting * t)) @ _shift(*(moved - [(width - 1) / 2, (height - 1) / 2]))
        path.append(_shift(*centre) @ _turn(angle + spin * t, scale * np.exp(zoom * t)) @ inner)
    return np.stack(path)


def density(homography: Array, size: tuple[int, int]) -> float:
    """Picture pixels per frame pixel at the centre of the frame."""
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2, 1.0])
    here, right, below = (project(homography, centre[:2] + d) for d in ((0, 0), (1, 0), (0, 1)))
    return float(max(np.linalg.norm(right - here), np.linalg.norm(below - here)))


def project(homography: Array, points: Array) -> Array:
    """Apply a homography to points ``(..., 2)``."""
    x, y = points[..., 0], points[..., 1]
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in homography)  # several times faster than a matrix product
    return np.stack([u / w, v / w], -1)


def pixels(size: tuple[int, int]) -> Array:
    """Pixel centres ``(H, W, 2)``, x first."""
    return np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), -1).astype(np.float64)


def render(texture: NDArray[np.uint8], homographies: Array, size: tuple[int, int]) -> NDArray[np.uint8]:
    """What the camera sees, bilinear; beyond its edges the picture is mirrored.

    A picture finer than the frames is first reduced (area average), so that detail does not alias from frame to frame.

    Args:
        texture: ``(h, w, 3)`` or ``(h, w)``, uint8.
        homographies: ``(T, 3, 3)``, from frame pixels to texture pixels.
        size: (height, width) of the frames.

    Returns:
        ``(T, H, W, 3)`` or ``(T, H, W)``, uint8.
    """
    finest = max(density(homography, size) for homography in homographies)
    reduce = np.eye(3)
    if finest > 1:
        height, width = (max(1, round(side / finest)) for side in texture.shape[:2])
        sx, sy = width / texture.shape[1], height / texture.shape[0]
        # Area resizing aligns the corners of the pictures, not the centres of their first pixels.
        reduce = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
        texture = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frames = [
        cv2.warpPerspective(texture, reduce @ homography, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
        for homography in homographies
    ]
    return np.stack(frames).astype(np.uint8, copy=False)


def backward_flow(homographies: Array, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Exact backward flow of a flat picture under the camera path, and where it stays inside the frame.

    Returns:
        flow ``(T - 1, 2, H, W)`` in pixels, x first, and visible ``(T - 1, 1, H, W)`` in {0, 1}.
    """
    height, width = size
    flow = np.empty((len(homographies) - 1, 2, height, width), dtype=np.float32)
    visible = np.empty((len(homographies) - 1, 1, height, width), dtype=np.uint8)
    x, y = np.arange(width), np.arange(height)[:, None]
    u, v, w = np.empty((3, height, width))
    for t, (a, b) in enumerate(pairwise(homographies)):
        # As ``project`` on all pixels, without a grid of points: a row and a column added up take a third of the time.
        for values, row in zip((u, v, w), np.linalg.inv(a) @ b, strict=True):
            np.add(row[0] * x + row[2], row[1] * y, out=values)
        u /= w
        v /= w
        visible[t, 0] = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
        np.subtract(u, x, out=flow[t, 0], casting="same_kind")
        np.subtract(v, y, out=flow[t, 1], casting="same_kind")
    return flow, visible


def inside(points: Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points ``(..., 2)`` lie between the first and last pixel centres of a frame."""
    x, y = points[..., 0], points[..., 1]
    return np.asarray((x >= 0) & (x <= size[1] - 1) & (y >= 0) & (y <= size[0] - 1))
