"""Procedural brush-stroke paintings, so that the default run needs no download.

A small landscape (sky, sun, hills, fields) is mixed from a palette, then painted over from coarse to fine with curved strokes
that follow a smooth field of directions; each stroke is a bundle of bristles of slightly different colour, as in
Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes", SIGGRAPH 1998.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Each palette: sky (dark to light), light, land (far to near), accent; RGB.
PALETTES: dict[str, list[tuple[int, int, int]]] = {
    "night": [(20, 34, 92), (52, 96, 170), (128, 174, 210), (250, 214, 92), (26, 62, 84), (16, 34, 52), (226, 164, 40)],
    "wheat": [(86, 148, 196), (156, 200, 214), (226, 232, 206), (252, 236, 150), (204, 164, 52), (168, 110, 34), (66, 104, 56)],
    "dusk": [(64, 38, 92), (158, 62, 98), (236, 128, 84), (254, 206, 122), (84, 52, 92), (44, 28, 60), (214, 70, 60)],
}


def _smooth(draws: np.random.Generator, size: int, grain: float) -> Array:
    """Smooth noise in [0, 1], its features about ``grain`` of the side long."""
    cells = max(2, round(1 / grain))
    coarse = draws.random((cells + 3, cells + 3))
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    return np.asarray((field - field.min()) / (np.ptp(field) + 1e-9))


def underpainting(draws: np.random.Generator, palette: str, size: int) -> NDArray[np.uint8]:
    """The motif without strokes: ``(size, size, 3)`` uint8."""
    colours = np.array(PALETTES[palette], dtype=np.float64)
    y = np.linspace(0, 1, size)[:, None]
    mix = np.clip(y * 1.4 + 0.5 * (_smooth(draws, size, 0.25) - 0.5), 0, 1) * 2
    low = np.floor(np.minimum(mix, 1.999)).astype(int)
    picture = colours[low] + (mix - low)[..., None] * (colours[low + 1] - colours[low])
    x0, y0, radius = draws.uniform(0.15, 0.85), draws.uniform(0.1, 0.4), draws.uniform(0.05, 0.11)
    distance = np.hypot(np.linspace(0, 1, size)[None] - x0, y - y0)
    picture += np.clip(2 - distance / radius, 0, 1)[..., None] * (colours[3] - picture)
    for depth, colour in enumerate((colours[4], (colours[4] + colours[5]) / 2, colours[5])):
        ridge = 0.45 + 0.17 * depth + 0.25 * (_smooth(draws, size, 0.3)[0] - 0.5)
        land = y > ridge[None]
        shade = colour + 60 * (_smooth(draws, size, 0.08) - 0.5)[..., None]
        spots = (_smooth(draws, size, 0.06) > 0.72)[..., None]
        picture = np.where(land[..., None], np.where(spots, 0.5 * colour + 0.5 * colours[6], shade), picture)
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8))


def _coat(canvas: NDArray[np.uint8], motif: NDArray[np.uint8], width: float, angle: Array, draws: np.random.Generator) -> None:
    """Cover the canvas once with strokes of one width that follow ``angle``, each of them parallel bristles."""
    size, bristles = canvas.shape[0], max(3, round(width / 1.6))
    starts = draws.uniform(0, size, (int(2.2 * (size / width) ** 2 / 3), 2))
    light, hue, relief = np.split(draws.normal(size=(len(starts), 4 + bristles)), (1, 4), axis=1)
    x, y = starts.astype(int).T
    colours = cv2.GaussianBlur(motif, (0, 0), width / 2)[y, x] + 13 * light + 9 * hue
    lift = 26 * (np.linspace(1, -1, bristles) * 0.4 + 0.6 * relief)  # lit from one side
    tones = np.clip(colours[:, None] + lift[..., None], 0, 255).tolist()
    thickness = max(1, round(1.3 * width / bristles))
    for stroke, its_tones in zip(_bristles(starts, width, bristles, angle), tones, strict=True):
        for points, tone in zip(stroke, its_tones, strict=True):
            cv2.polylines(canvas, [points], False, tone, thickness, cv2.LINE_AA, 4)


def _bristles(starts: Array, width: float, bristles: int, angle: Array) -> NDArray[np.int32]:
    """Paths beside one another along ``angle``, ``(strokes, bristles, points, 2)``, in sixteenths of a pixel."""
    path = [starts]
    for _ in range(5):
        x, y = np.clip(path[-1], 0, len(angle) - 1).astype(int).T
        theta = angle[y, x]
        path.append(path[-1] + 0.9 * width * np.stack([np.cos(theta), np.sin(theta)], -1))
    paths = np.stack(path, 1)
    along = np.gradient(paths, axis=1)
    across = np.stack([-along[..., 1], along[..., 0]], -1) / (np.linalg.norm(along, axis=-1, keepdims=True) + 1e-9)
    offsets = np.linspace(-0.5, 0.5, bristles)[:, None, None] * width
    return np.rint((paths[:, None] + across[:, None] * offsets) * 16).astype(np.int32)


def paint(draws: np.random.Generator, palette: str, size: int = 512) -> NDArray[np.uint8]:
    """Paint a picture.

    Args:
        draws: source of randomness.
        palette: a key of ``PALETTES``.
        size: side in pixels.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    motif = underpainting(draws, palette, size)
    swirl = 2 * np.pi * (_smooth(draws, size, 0.3) + 0.35 * _smooth(draws, size, 0.12))
    canvas = motif.copy()
    for width in (size / 24, size / 40, size / 64):
        _coat(canvas, motif, width, swirl, draws)
    return canvas
