"""Flow arithmetic, against geometry."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.ops.flow import align_to_centre, compose, consistency_mask, gap_flow, inside, invert
from lightning_modules.ops.warp import pixel_grid, warp


def uniform(right: float, down: float, height: int = 20, width: int = 24) -> Tensor:
    return torch.tensor([float(right), float(down)]).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


def affine(matrix: list[list[float]], shift: list[float], size: int = 40) -> Tensor:
    """The flow p -> matrix (p - centre) + centre + shift."""
    grid = pixel_grid(size, size, torch.zeros(1)) - size / 2
    moved = torch.einsum("ij,jhw->ihw", torch.tensor(matrix), grid) + torch.tensor(shift).view(2, 1, 1)
    return (moved - grid)[None]


def test_nothing_is_hidden_when_nothing_moves() -> None:
    still = torch.zeros(2, 2, 9, 11)
    assert (consistency_mask(still, still) == 1).all()


def test_mask_covers_what_a_moving_square_uncovers() -> None:
    # A square moves 5 to the right over a still background; it spans columns 8..15 before and 13..20 after.
    forward, backward = torch.zeros(1, 2, 24, 32), torch.zeros(1, 2, 24, 32)
    forward[:, 0, 8:16, 8:16] = 5
    backward[:, 0, 8:16, 13:21] = -5
    visible = consistency_mask(forward, backward)[0, 0]
    assert (visible[8:16, 8:13] == 0).all()  # uncovered: frame t has nothing to show there
    assert (visible[9:15, 14:20] == 1).all()  # the square itself
    assert (visible[8:16, 23:] == 1).all()  # what lies ahead is still there
    far = torch.ones_like(visible)
    far[6:18, 6:23] = 0
    assert (visible[far.bool()] == 1).all()


def test_mask_is_the_published_rule_pixel_by_pixel() -> None:
    draws = np.random.default_rng(3)
    height, width = 9, 12
    # Flow in whole pixels that stays inside, so that reading needs no interpolation.
    there = np.stack([draws.integers(0, width, (height, width)), draws.integers(0, height, (height, width))])
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)))
    b = np.where(draws.random((height, width)) < 0.5, 0, there - grid).astype(float)
    f = np.where(draws.random((height, width)) < 0.7, 0, draws.normal(size=(2, height, width)))
    expected = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            here = b[:, y, x]
            back = f[:, int(y + here[1]), int(x + here[0])]
            slope = sum(((b[:, y, x + 1] - here) ** 2).tolist()) if x + 1 < width else 0
            slope += sum(((b[:, y + 1, x] - here) ** 2).tolist()) if y + 1 < height else 0
            hidden = ((back + here) ** 2).sum() > 0.01 * ((back**2).sum() + (here**2).sum()) + 0.5
            expected[y, x] = not (hidden or slope > 0.01 * (here**2).sum() + 0.002)
    mask = consistency_mask(torch.tensor(f, dtype=torch.float32)[None], torch.tensor(b, dtype=torch.float32)[None])
    assert 0 < expected.mean() < 1
    assert np.array_equal(mask[0, 0].numpy(), expected)


@pytest.mark.shared
def test_mask_is_that_of_the_published_program(shared: Path) -> None:
    # Of frame 2, written by the consistency checker of the authors of the rule from the same flow.
    folder = shared / "flow" / "marple8"
    forward, backward = (
        torch.from_numpy(cv2.readOpticalFlow(str(folder / f"{name}.flo"))).movedim(-1, 0)
        for name in ("forward_1_2", "backward_2_1")
    )
    # The program smooths its masks; half way is where they change.
    hidden = torch.from_numpy(cv2.imread(str(folder / "reliable_2_1.pgm"), cv2.IMREAD_GRAYSCALE) < 128)

    def overlap(mask: Tensor) -> float:
        ours = mask[0] == 0
        return float((ours & hidden).sum() / (ours | hidden).sum())

    assert overlap(consistency_mask(forward, backward) * inside(backward)) > 0.7
    assert overlap(consistency_mask(backward, forward) * inside(forward)) < 0.6


def test_mask_is_the_published_rule_between_pixels() -> None:
    # Real fields are smooth and lead between pixels; this one turns, grows and jumps, and the way back is a little off.
    size = 16
    b = affine([[0.99, 0.01], [-0.01, 1.02]], [1.3, -0.7], size)[0].double().numpy()
    b[:, :, 9:] += np.array([2.5, 0.4]).reshape(2, 1, 1)
    f = -b + np.random.default_rng(1).normal(0, 0.45, b.shape)
    expected = np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            here = b[:, y, x]
            u, v = np.clip(x + here[0], 0, size - 1), np.clip(y + here[1], 0, size - 1)
            left, top = min(int(u), size - 2), min(int(v), size - 2)
            across, down = u - left, v - top
            above = (1 - across) * f[:, top, left] + across * f[:, top, left + 1]
            below = (1 - across) * f[:, top + 1, left] + across * f[:, top + 1, left + 1]
            back = (1 - down) * above + down * below
            slope = ((b[:, y, x + 1] - here) ** 2).sum() if x + 1 < size else 0.0
            slope += ((b[:, y + 1, x] - here) ** 2).sum() if y + 1 < size else 0.0
            hidden = ((back + here) ** 2).sum() > 0.01 * ((back**2).sum() + (here**2).sum()) + 0.5
            expected[y, x] = not (hidden or slope > 0.01 * (here**2).sum() + 0.002)
    mask = consistency_mask(torch.tensor(f, dtype=torch.float32), torch.tensor(b, dtype=torch.float32))
    assert 0.2 < expected[:, :8].mean() < 0.95
    assert not expected[:, 8].any()  # the jump
    assert np.array_equal(mask[0].numpy(), expected)


def test_inside_by_hand() -> None:
    within = inside(uniform(3, -2, height=6, width=8))[0, 0]
    expected = torch.zeros(6, 8)
    expected[2:, :5] = 1
    assert torch.equal(within, expected)


def test_inverse_of_an_affine_flow() -> None:
    matrix = [[0.95, -0.2], [0.15, 1.05]]
    inverse = torch.linalg.inv(torch.tensor(matrix))
    # p -> A p + s is undone by q -> A^-1 q - A^-1 s.
    expected = affine(inverse.tolist(), (-inverse @ torch.tensor([2.0, -1.0])).tolist())
    found = invert(affine(matrix, [2.0, -1.0]))
    torch.testing.assert_close(found[..., 10:30, 10:30], expected[..., 10:30, 10:30], atol=2e-3, rtol=0)


def test_there_and_back_is_nowhere() -> None:
    flow = affine([[1.1, 0.05], [-0.1, 0.97]], [1.0, 2.0])
    for path in (compose(flow, invert(flow)), compose(invert(flow), flow)):
        assert path[..., 12:28, 12:28].abs().max() < 1e-2


def test_composition_of_affine_flows() -> None:
    first, second = [[1.05, 0.1], [0.0, 0.95]], [[0.9, -0.1], [0.1, 1.0]]
    both = torch.tensor(first) @ torch.tensor(second)
    shift = torch.tensor(first) @ torch.tensor([1.0, 2.0]) + torch.tensor([-1.0, 0.5])
    found = compose(affine(first, [-1.0, 0.5]), affine(second, [1.0, 2.0]))
    expected = affine(both.tolist(), shift.tolist())
    torch.testing.assert_close(found[..., 10:30, 10:30], expected[..., 10:30, 10:30], atol=1e-4, rtol=0)


def test_composition_warps_like_two_warps() -> None:
    frames = torch.rand(1, 3, 20, 24)
    first, second = uniform(2, 1), uniform(-1, 3)
    twice = warp(warp(frames, first), second)
    torch.testing.assert_close(warp(frames, compose(first, second))[..., 5:15, 5:18], twice[..., 5:15, 5:18])


def test_gap_flow_of_affine_steps() -> None:
    matrices = [torch.eye(2) + 0.04 * torch.tensor(m) for m in ([[1.0, 2], [0, -1]], [[-2.0, 1], [1, 0]], [[0.0, -1], [2, 1]])]
    shifts = [torch.tensor(s) for s in ([-1.0, 0.5], [1.5, 0.25], [0.5, -2.0])]
    flow = torch.stack([affine(m.tolist(), s.tolist()) for m, s in zip(matrices, shifts, strict=True)], dim=1)
    visible = torch.ones(1, 3, 1, 40, 40)
    for gap in (2, 3):
        found, seen = gap_flow(flow, visible, gap)
        assert found.shape == (1, 4 - gap, 2, 40, 40)
        assert seen.shape == (1, 4 - gap, 1, 40, 40)
        for t in range(4 - gap):
            matrix, shift = torch.eye(2), torch.zeros(2)
            for step in reversed(range(t, t + gap)):  # from frame t + gap back to t
                matrix, shift = matrices[step] @ matrix, matrices[step] @ shift + shifts[step]
            expected = affine(matrix.tolist(), shift.tolist())[0]
            torch.testing.assert_close(found[0, t, :, 12:28, 12:28], expected[:, 12:28, 12:28], atol=1e-4, rtol=0)
            assert seen[0, t, :, 12:28, 12:28].all()


def test_gap_flow_over_one_frame_is_the_flow() -> None:
    flow, visible = torch.randn(2, 3, 2, 5, 6), torch.rand(2, 3, 1, 5, 6) < 0.5
    found, seen = gap_flow(flow, visible, 1)
    assert torch.equal(found, flow)
    assert torch.equal(seen, visible.float())


def squares(frames: int, step: float = 2.0, height: int = 16, width: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """A textured square over a textured ground that stays, ``(1, T, 3, H, W)``, with its exact flow and visibility."""
    draws = torch.Generator().manual_seed(2)
    ground, square = torch.rand(3, height, width, generator=draws), torch.rand(3, 6, 6, generator=draws)
    clip = ground.expand(frames, -1, -1, -1).clone()
    flow, visible = torch.zeros(frames - 1, 2, height, width), torch.ones(frames - 1, 1, height, width)
    for t in range(frames):
        left = 4 + round(step * t)
        clip[t, :, 5:11, left : left + 6] = square
        if t:
            before = left - round(step)
            visible[t - 1, :, 5:11, before:left] = 0  # ground that the square has just left
            flow[t - 1, 0, 5:11, left : left + 6] = before - left
    return clip[None], flow[None], visible[None]


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_gap_flow_knows_what_was_hidden_on_the_way(gap: int) -> None:
    clip, flow, visible = squares(6)
    found, seen = gap_flow(flow, visible, gap)
    apart = (warp(clip[:, :-gap], found) - clip[:, gap:]).abs() * seen
    assert apart.max() < 1e-5
    for t in range(6 - gap):
        left = 4 + 2 * (t + gap)
        inner = seen[0, t, 0, 6:10, left + 1 : left + 5]
        assert inner.all()
        assert not seen[0, t, 0, 5:11, left - 2 * gap : left].any()  # all the ground it has left since
    assert seen.mean() > 0.85
    assert set(seen.unique().tolist()) == {0.0, 1.0}


def test_gap_flow_does_not_read_across_an_outline() -> None:
    # The ground glides by half a pixel under a square that stands still: readings of its flow fall between pixels.
    flow, visible = torch.zeros(1, 2, 2, 12, 12), torch.ones(1, 2, 1, 12, 12)
    flow[:, :, 0] = 1.5
    flow[:, :, 0, 4:8, 4:8] = 0
    found, seen = gap_flow(flow, visible, 2)
    mixed = ~torch.isin(found[0, 0, 0], torch.tensor([0.0, 1.5, 3.0]))
    assert mixed.any()
    assert not seen[0, 0, 0][mixed].any()
    assert seen[0, 0, 0, 0:3, 0:8].all()


@pytest.mark.parametrize("gap", [0, 4])
def test_gap_flow_refuses_a_gap_without_frames(gap: int) -> None:
    with pytest.raises(ValueError, match=f"gap: expected 1 to 3 for 4 frames, got {gap}"):
        gap_flow(torch.zeros(1, 3, 2, 4, 4), torch.ones(1, 3, 1, 4, 4), gap)


def test_aligned_frames_of_a_gliding_window_agree() -> None:
    texture = torch.rand(2, 3, 70, 70, generator=torch.Generator().manual_seed(1))
    corners = [(0, 0), (1, 3), (4, 3), (5, 6), (5, 8), (9, 9)]  # another step each time
    for length in (3, 4, 6):
        clips = torch.stack([texture[..., y : y + 40, x : x + 40] for y, x in corners[:length]], dim=1)
        steps = [(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(corners[:length])]
        flow = torch.stack([uniform(*step, height=40, width=40)[0] for step in steps]).expand(2, -1, -1, -1, -1)
        aligned = align_to_centre(clips, flow)
        centre = clips[:, length // 2]
        assert aligned.shape == clips.shape
        torch.testing.assert_close(aligned[:, length // 2], centre, atol=1e-5, rtol=0)
        assert (aligned - centre[:, None])[..., 10:30, 10:30].abs().max() < 1e-5


def test_alignment_reads_like_warp_and_has_a_second_derivative() -> None:
    # A penalty on the slope of a critic that looks at aligned frames goes through it.
    draws = torch.Generator().manual_seed(4)
    clips = torch.randn(2, 2, 3, 6, 7, generator=draws)
    flow = 3 * torch.randn(2, 1, 2, 6, 7, generator=draws)  # fractions of pixels, and out of the picture
    aligned = align_to_centre(clips, flow)
    torch.testing.assert_close(aligned[:, 0], warp(clips[:, 0], flow[:, 0]), atol=1e-5, rtol=0)
    small = clips[:1, :, :1].double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda c: align_to_centre(c, flow[:1]), small)
