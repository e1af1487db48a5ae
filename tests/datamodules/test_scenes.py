"""Layered scenes: what is in front, what it uncovers, and flow that holds wherever it is said to."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batch import Clips
from datamodules.camera import pixels, random_motion
from datamodules.scenes import Layer, blob, render_scene, scene_flow

SIZE = (60, 80)
RADIUS, STEP = 12.0, 7.0
Align = Callable[[Clips], tuple[Tensor, Tensor, Tensor]]
Smooth = Callable[..., NDArray[np.uint8]]


def disc(texture: NDArray[np.uint8], frames: int = 3, step: float = STEP) -> Layer:
    """A disc that moves right by ``step``, centred at (25, 30) in the first frame."""
    path = np.tile(np.eye(3), (frames, 1, 1))
    path[:, 0, 2] = -step * np.arange(frames)
    return Layer(texture, path, np.array([25.0, 30.0]), np.full(129, RADIUS))


def still(texture: NDArray[np.uint8], frames: int = 3) -> Layer:
    return Layer(texture, np.tile(np.eye(3), (frames, 1, 1)))


def distance(t: int) -> NDArray[np.float64]:
    """From the disc's centre in frame t, at every pixel."""
    return np.linalg.norm(pixels(SIZE) - [25 + STEP * t, 30], axis=-1)


def test_opacity_of_a_disc(smooth: Smooth) -> None:
    layer = disc(smooth(0))
    alpha = layer.alpha(1, pixels(SIZE))
    assert np.array_equal(alpha == 1, distance(1) <= RADIUS - 0.5)
    assert np.array_equal(alpha == 0, distance(1) >= RADIUS + 0.5)
    assert alpha.sum() == pytest.approx(np.pi * RADIUS**2, rel=0.01)
    assert (still(smooth(0)).alpha(0, pixels(SIZE)) == 1).all()


def test_blob_is_closed_and_about_as_large_as_asked() -> None:
    reach = blob(np.random.default_rng(0), 20.0)
    assert reach[0] == pytest.approx(reach[-1])
    assert 0.5 * 20 < reach.min() <= reach.max() < 1.5 * 20


def test_the_front_layer_is_seen(smooth: Smooth) -> None:
    behind, ahead = smooth(0), smooth(1)
    frames = render_scene([still(behind), disc(ahead)], SIZE)
    for t, frame in enumerate(frames):
        far, near = distance(t) > RADIUS + 1, distance(t) < RADIUS - 1
        assert np.array_equal(frame[far], behind[: SIZE[0], : SIZE[1]][far])
        shifted = np.roll(ahead, int(STEP * t), axis=1)[: SIZE[0], : SIZE[1]]
        assert np.array_equal(frame[near], shifted[near])


def test_what_a_moving_disc_uncovers_is_not_visible(smooth: Smooth) -> None:
    flow, visible = scene_flow([still(smooth(0)), disc(smooth(1))], SIZE)
    assert flow.shape == (2, 2, *SIZE)
    assert visible.shape == (2, 1, *SIZE)
    for t in range(2):
        within, clear = distance(t + 1) < RADIUS - 2, distance(t + 1) > RADIUS + 2
        uncovered = clear & (distance(t) < RADIUS - 1)
        assert uncovered.sum() > 50
        assert (visible[t, 0][uncovered] == 0).all()
        assert (visible[t, 0][within] == 1).all()
        assert (visible[t, 0][clear & (distance(t) > RADIUS + 2)] == 1).all()
        np.testing.assert_allclose(flow[t][:, within], np.tile([[-STEP], [0]], within.sum()), atol=1e-5)
        np.testing.assert_allclose(flow[t][:, clear], 0, atol=1e-5)


def test_without_motion_only_rims_are_not_visible(smooth: Smooth) -> None:
    flow, visible = scene_flow([still(smooth(0)), disc(smooth(1), step=0)], SIZE)
    assert np.abs(flow).max() < 1e-5
    rim = np.abs(distance(0) - RADIUS) < 0.5
    assert np.array_equal(visible[0, 0] == 0, rim)
    assert scene_flow([still(smooth(0))], SIZE)[1].all()


def test_what_comes_in_from_outside_is_not_visible(smooth: Smooth) -> None:
    path = np.tile(np.eye(3), (2, 1, 1))
    path[1, 0, 2] = 5  # the camera goes right
    _, visible = scene_flow([Layer(smooth(0), path)], SIZE)
    assert (visible[0, 0, :, :-5] == 1).all()
    assert (visible[0, 0, :, -5:] == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_flow_holds_wherever_it_is_visible(seed: int, smooth: Smooth, align: Align) -> None:
    draws = np.random.default_rng(seed)
    layers = [Layer(smooth(10 * seed + i), random_motion(draws, 3, SIZE, (240, 320), 0.03)) for i in range(3)]
    for i in (1, 2):
        start = layers[i].homographies[1] @ [*draws.uniform(0.3, 0.7, 2) * SIZE[::-1], 1]
        texels = np.linalg.norm(layers[i].homographies[1][:2, 0])
        layers[i] = layers[i]._replace(centre=start[:2] / start[2], reach=blob(draws, 14 * texels))
    frames = torch.from_numpy(render_scene(layers, SIZE)).permute(0, 3, 1, 2)
    flow, visible = scene_flow(layers, SIZE)
    moved, unmoved, seen = align(Clips(frames, torch.from_numpy(flow), torch.from_numpy(visible)))
    assert 0.5 < seen.float().mean() < 1
    assert moved[seen].mean() < 0.5  # grey levels: rounding
    assert moved[seen].max() < 6  # at no rim are two layers mixed
    assert unmoved[seen].mean() > 4
    assert moved[~seen].mean() > 5
