"""Temporal losses on motion that is known exactly: a window gliding over a large texture."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lightning_modules.losses.temporal import LEAST_CONTRAST, known_motion, unwarped, warped
from lightning_modules.ops.flow import inside

STEP = (2, 3)  # down, right; pixels from frame to frame
SIZE = (24, 20)


@pytest.fixture
def texture() -> Tensor:
    return torch.rand(2, 3, 60, 60, generator=torch.Generator().manual_seed(1)) * 2 - 1


def glide(texture: Tensor, frames: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Frames, flow and visibility. What frame t + 1 shows at p, frame t shows at p + STEP: both are windows of one texture."""
    (down, right), (height, width) = STEP, SIZE
    window = [texture[..., t * down : t * down + height, t * right : t * right + width] for t in range(frames)]
    flow = torch.tensor([right, down], dtype=torch.float32).view(1, 1, 2, 1, 1).expand(2, frames - 1, 2, height, width)
    return torch.stack(window, dim=1), flow, inside(flow)


def equivariant(frames: Tensor) -> Tensor:
    """A network that commutes with translation: the same for every pixel and its neighbours, no border."""
    painted = torch.tanh(frames.flip(-3) * 1.5 + 0.5 * frames.roll((1, 1), (-2, -1)) - 0.3)
    return painted


def test_equivariant_network_has_no_warped_loss_but_an_unwarped_one(texture: Tensor) -> None:
    frames, flow, visible = glide(equivariant(texture))
    assert warped(frames, flow, visible).item() == pytest.approx(0, abs=1e-6)
    assert unwarped(frames).item() > 0.1


def test_a_pattern_fixed_to_the_screen_costs(texture: Tensor) -> None:
    frames, flow, visible = glide(texture)
    screen = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(2))
    assert warped(frames + screen, flow, visible).item() > 0.1
    still = torch.stack([screen] * frames.shape[1]).expand_as(frames)
    assert unwarped(still).item() == 0


def test_the_flow_is_read_backward(texture: Tensor) -> None:
    frames, flow, visible = glide(texture)
    assert warped(frames, -flow, visible).item() > 0.1


def test_half_precision_frames_keep_exact_positions() -> None:
    # bfloat16 holds no odd number above 256: positions in it would miss their pixels.
    texture = torch.rand(1, 1, 3, 2, 400).bfloat16()
    frames = torch.cat([texture[..., :-1], texture[..., 1:]], dim=1)
    flow = torch.zeros(1, 1, 2, 2, 399)
    flow[:, :, 0] = 1
    assert warped(frames, flow, inside(flow)).item() == pytest.approx(0, abs=1e-3)


def test_every_clip_weighs_the_same_however_much_of_it_is_visible() -> None:
    frames = torch.zeros(2, 2, 3, 4, 4)
    frames[0, 1] = 1  # the first clip flickers, the second does not
    flow, visible = torch.zeros(2, 1, 2, 4, 4), torch.ones(2, 1, 1, 4, 4)
    visible[0] = 0
    visible[0, 0, 0, 2, 2] = 1  # a single visible pixel
    difference = 1 / (0.5**2 + LEAST_CONTRAST**2) ** 0.5  # half of the values are 0, half are 1
    assert warped(frames, flow, visible).item() == pytest.approx(difference / 2)


def test_nothing_visible_and_single_frames_give_zero_with_a_gradient() -> None:
    frames = torch.rand(2, 2, 3, 4, 4, requires_grad=True)
    flow, nothing = torch.zeros(2, 1, 2, 4, 4), torch.zeros(2, 1, 1, 4, 4)
    still = frames[:, :1]
    losses = [warped(frames, flow, nothing), warped(still, flow[:, :0], nothing[:, :0]), unwarped(still)]
    assert [loss.item() for loss in losses] == [0, 0, 0]
    sum(losses).backward()
    assert frames.grad.abs().sum().item() == 0


def test_unwarped_by_hand() -> None:
    frames = torch.tensor([0.0, 1.0, -1.0]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 2, 2)
    contrast = (2 / 3 + LEAST_CONTRAST**2) ** 0.5
    assert unwarped(frames).item() == pytest.approx((1 + 2) / 2 / contrast)


@pytest.mark.parametrize("loss", [warped, lambda frames, *_: unwarped(frames)], ids=["warped", "unwarped"])
def test_painting_paler_is_not_rewarded(loss: Callable[..., Tensor], texture: Tensor) -> None:
    frames, flow, visible = glide(texture)
    frames = 10 * (frames + 0.2 * torch.rand_like(frames))  # beside which LEAST_CONTRAST is nothing
    strength = torch.ones((), requires_grad=True)
    value = loss(strength * frames + 0.3, flow, visible)
    value.backward()
    assert strength.grad is not None
    assert abs(strength.grad.item()) < 1e-3 * value.item()
    assert loss(frames / 2, flow, visible).item() == pytest.approx(value.item(), rel=1e-3)


def test_contrast_is_that_of_each_clip(texture: Tensor) -> None:
    frames, flow, visible = glide(texture)
    frames = frames + 0.1 * torch.rand_like(frames)
    whole = [warped(frames[i : i + 1], flow[:1], visible[:1]).item() for i in range(2)]
    assert warped(frames, flow, visible).item() == pytest.approx(sum(whole) / 2, rel=1e-5)


def test_noise_on_a_flat_clip_counts_little() -> None:
    flat = 0.01 * torch.rand(1, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    flow, visible = torch.zeros(1, 1, 2, 8, 8), torch.ones(1, 1, 1, 8, 8)
    assert warped(flat, flow, visible).item() < 0.01 / LEAST_CONTRAST


def test_known_motion_asks_painting_and_motion_to_commute(texture: Tensor) -> None:
    frames, flow, visible = glide(texture)
    pointwise = lambda x: torch.tanh(2 * x.flip(-3))  # noqa: E731
    first, second = frames[:, 0], frames[:, 1]
    assert known_motion(pointwise(first), pointwise(second), flow[:, 0], visible[:, 0]).item() == pytest.approx(0, abs=1e-6)
    screen = torch.rand(3, *SIZE)
    assert known_motion(first + screen, second + screen, flow[:, 0], visible[:, 0]).item() > 0.1
    assert known_motion(first, first, flow[:, 0], visible[:, 0]).item() > 0.1
