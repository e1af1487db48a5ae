"""The moving camera: geometry by hand, and flow bound to the frames it claims to describe."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batch import Clips
from datamodules.camera import backward_flow, density, inside, pixels, project, random_motion, render

SIZE = (48, 64)


def gliding(right: float, down: float, frames: int = 3) -> NDArray[np.float64]:
    path = np.tile(np.eye(3), (frames, 1, 1))
    path[:, 0, 2], path[:, 1, 2] = 100 + right * np.arange(frames), 50 + down * np.arange(frames)
    return path


def test_project_is_the_matrix_product() -> None:
    draws = np.random.default_rng(0)
    matrix = np.eye(3) + draws.normal(0, 0.01, (3, 3))
    points = draws.uniform(0, 50, (4, 5, 2))
    product = np.concatenate([points, np.ones((4, 5, 1))], -1) @ matrix.T
    np.testing.assert_allclose(project(matrix, points), product[..., :2] / product[..., 2:])


def test_gliding_by_whole_pixels() -> None:
    flow, visible = backward_flow(gliding(3, -2), SIZE)
    assert flow.shape == (2, 2, *SIZE)
    assert visible.shape == (2, 1, *SIZE)
    # The camera goes right, so what is at p now was further right before.
    np.testing.assert_allclose(flow[:, 0], 3, atol=1e-5)
    np.testing.assert_allclose(flow[:, 1], -2, atol=1e-5)
    expected = np.zeros(SIZE)
    expected[2:, :-3] = 1
    assert np.array_equal(visible[0, 0], expected)
    assert np.array_equal(visible[1, 0], expected)


def test_gliding_frames_are_windows(smooth: Callable[..., NDArray[np.uint8]]) -> None:
    picture = smooth(0)
    for t, frame in enumerate(render(picture, gliding(3, -2), SIZE)):
        window = picture[50 - 2 * t :, 100 + 3 * t :][: SIZE[0], : SIZE[1]]
        assert np.array_equal(frame, window)


@pytest.mark.parametrize("seed", range(3))
def test_flow_aligns_what_the_camera_sees(
    seed: int, smooth: Callable[..., NDArray[np.uint8]], align: Callable[[Clips], tuple[Tensor, Tensor, Tensor]]
) -> None:
    picture = smooth(seed)
    motion = random_motion(np.random.default_rng(seed), 4, SIZE, (240, 320), speed=0.03)
    frames = torch.from_numpy(render(picture, motion, SIZE)).permute(0, 3, 1, 2)
    flow, visible = (torch.from_numpy(array) for array in backward_flow(motion, SIZE))
    moved, still, seen = align(Clips(frames, flow, visible))
    assert 0.5 < seen.float().mean() < 1
    assert moved[seen].mean() < 0.5  # grey levels: rounding
    assert moved[seen].max() < 4
    assert still[seen].mean() > 5


def test_fine_pictures_are_reduced_without_shifting() -> None:
    # The value of a pixel says where it lies; three picture pixels fall on one of the frame.
    ramp = np.tile(np.arange(240, dtype=np.uint8), (240, 1))
    path = np.array([[[3.0, 0, 5.5], [0, 3.0, 2.0], [0, 0, 1]]])
    (across,) = render(ramp, path, SIZE)
    (down,) = render(ramp.T.copy(), path, SIZE)
    places = project(path[0], pixels(SIZE))
    np.testing.assert_allclose(across, places[..., 0], atol=1)
    np.testing.assert_allclose(down, places[..., 1], atol=1)


def test_detail_finer_than_the_frame_is_averaged_away() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (200, 100))
    (frame,) = render(stripes, np.array([np.diag([4.0, 4, 1])]), SIZE)
    assert np.abs(frame.astype(int) - 127).max() <= 2


def test_beyond_its_edges_the_picture_is_mirrored(smooth: Callable[..., NDArray[np.uint8]]) -> None:
    picture = smooth(1)
    path = np.array([[[1.0, 0, -8], [0, 1, 0], [0, 0, 1]]])
    (frame,) = render(picture, path, SIZE)
    assert np.array_equal(frame[:, :8], picture[: SIZE[0], 7::-1][:, :8])


def test_random_motion_starts_inside_and_moves_at_its_speed() -> None:
    lengths, outside = [], 0
    corners = np.array([[0, 0], [SIZE[1] - 1, 0], [0, SIZE[0] - 1], [SIZE[1] - 1, SIZE[0] - 1]])
    for seed in range(60):
        motion = random_motion(np.random.default_rng(seed), 3, SIZE, (200, 300), speed=0.02)
        assert motion.shape == (3, 3, 3)
        corner = project(motion[0], corners.astype(float))
        outside += bool((corner < -0.1 * 200).any() or (corner > np.array([300, 200]) + 0.1 * 200).any())
        lengths.append(np.abs(backward_flow(motion, SIZE)[0]).mean())
    assert outside <= 3  # the start lies inside up to rotation and perspective
    assert 0.4 < np.median(lengths) / (0.02 * 48) < 2.5


def test_without_speed_nothing_moves() -> None:
    flow, visible = backward_flow(random_motion(np.random.default_rng(4), 3, SIZE, (200, 300), speed=0), SIZE)
    assert np.abs(flow).max() < 1e-4
    assert visible[..., 1:-1, 1:-1].all()


def test_one_frame_has_no_flow() -> None:
    flow, visible = backward_flow(gliding(1, 1, frames=1), SIZE)
    assert flow.shape == (0, 2, *SIZE)
    assert visible.shape == (0, 1, *SIZE)


def test_density_and_inside_by_hand() -> None:
    assert density(np.diag([2.0, 0.5, 1]), SIZE) == pytest.approx(2)
    points = np.array([[0, 0], [63, 47], [-0.01, 5], [63.01, 5], [5, 47.01], [5, -0.01]])
    assert inside(points, SIZE).tolist() == [True, True, False, False, False, False]


def test_flow_is_where_the_homography_takes_each_pixel() -> None:
    # Tilted far more than a camera of ours ever is, so that the division by depth counts.
    tilted = np.array([[1.1, 0.05, 3], [-0.04, 0.9, -2], [2e-3, -3e-3, 1]])
    path = np.stack([np.eye(3), tilted, tilted @ tilted])
    flow, visible = backward_flow(path, SIZE)
    for t in range(2):
        earlier = project(np.linalg.inv(path[t]) @ path[t + 1], pixels(SIZE))
        np.testing.assert_allclose(flow[t], (earlier - pixels(SIZE)).transpose(2, 0, 1), atol=1e-4)
        assert np.array_equal(visible[t, 0], inside(earlier, SIZE))
