"""Layered scenes: photographs behind photographs, each moving by its own homographies; exact flow and visibility."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.camera import Array, inside, pixels, project, render


class Layer(NamedTuple):
    """A picture in motion, cut to a blob (or filling the plane).

    ``homographies`` ``(T, 3, 3)`` map frame pixels to texture pixels. ``centre`` (x, y) in texture pixels and ``reach``, the
    distance of the rim from it at equally spaced angles from -pi to pi, give the shape; None fills the plane.
    """

    texture: NDArray[np.uint8]
    homographies: Array
    centre: Array | None = None
    reach: Array | None = None

    def alpha(self, t: int, points: Array) -> Array:
        """Opacity ``(...)`` in [0, 1] at frame positions ``(..., 2)`` of frame t; the rim is about one pixel wide."""
        if self.centre is None or self.reach is None:
            return np.ones(points.shape[:-1])
        offset = project(self.homographies[t], points) - self.centre
        angle = np.arctan2(offset[..., 1], offset[..., 0])
        reach = np.interp(angle, np.linspace(-np.pi, np.pi, len(self.reach)), self.reach)
        texels = np.linalg.norm(self.homographies[t][:2, :2], axis=0).mean()
        return np.asarray(np.clip((reach - np.hypot(offset[..., 0], offset[..., 1])) / texels + 0.5, 0, 1))


def blob(draws: np.random.Generator, radius: float) -> Array:
    """A random rim around a centre: distances at 129 angles, the last equal to the first."""
    angle = np.linspace(-np.pi, np.pi, 129)[:, None] * np.arange(2, 6)
    waves = draws.uniform(0, 0.12, 4) * np.cos(angle + draws.uniform(0, 2 * np.pi, 4))
    return np.asarray(radius * (1 + waves.sum(-1)))


def render_scene(layers: list[Layer], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Compose layers, the first at the back: ``(T, H, W, 3)`` uint8."""
    grid = pixels(size)
    frames = render(layers[0].texture, layers[0].homographies, size).astype(np.float32)
    for layer in layers[1:]:
        picture = render(layer.texture, layer.homographies, size)
        for t, frame in enumerate(frames):
            alpha = layer.alpha(t, grid)[..., None].astype(np.float32)
            frame += alpha * (picture[t] - frame)
    return np.asarray(np.rint(frames).astype(np.uint8))


def scene_flow(layers: list[Layer], size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Exact backward flow ``(T - 1, 2, H, W)`` and visibility ``(T - 1, 1, H, W)`` of a layered scene.

    A pixel is visible if the layer it shows fills it wholly, and also filled wholly the pixels of the frame before that
    bilinear reading mixes: rims, where two layers mix, have no single flow. Where not visible, the flow is that of the front
    layer.
    """
    grid = pixels(size)
    steps = len(layers[0].homographies) - 1
    front = np.stack([_front(layers, t, grid) for t in range(steps + 1)])
    flow = np.zeros((steps, *size, 2), dtype=np.float32)
    visible = np.zeros((steps, *size), dtype=bool)
    for t in range(steps):
        for depth, layer in enumerate(layers):
            earlier = project(np.linalg.inv(layer.homographies[t]) @ layer.homographies[t + 1], grid)
            here = front[t + 1, 0] == depth
            flow[t][here] = (earlier - grid)[here]
            pure = (front[t, 0] == depth) & (front[t, 1] == 1)
            visible[t] |= here & (front[t + 1, 1] == 1) & inside(earlier, size) & _read_within(pure, earlier)
    return flow.transpose(0, 3, 1, 2).copy(), visible[:, None].astype(np.uint8)


def _front(layers: list[Layer], t: int, grid: Array) -> Array:
    """``(2, H, W)``: number and opacity of the foremost layer that shows at all."""
    opacity = np.stack([layer.alpha(t, grid) for layer in layers])
    number = len(layers) - 1 - np.argmax(opacity[::-1] > 0, axis=0)
    return np.stack([number, np.take_along_axis(opacity, number[None], axis=0)[0]])


def _read_within(mask: NDArray[np.bool_], points: Array) -> NDArray[np.bool_]:
    """Whether the up to four pixels that bilinear reading at points ``(..., 2)`` mixes all lie in the mask."""
    last = np.array(mask.shape[::-1]) - 1
    # A millionth of a pixel is the rounding of the geometry, not a reading of the next pixel.
    x0, y0 = np.moveaxis(np.clip(np.floor(points + 1e-6), 0, last).astype(int), -1, 0)
    x1, y1 = np.moveaxis(np.clip(np.ceil(points - 1e-6), 0, last).astype(int), -1, 0)
    return np.asarray(mask[y0, x0] & mask[y0, x1] & mask[y1, x0] & mask[y1, x1])
