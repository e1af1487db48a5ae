"""Flow estimators: their convention, their masks, and that no gradient passes."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.optical_flow import raft_small

from lightning_modules.flow import DISFlow, RAFTFlow
from lightning_modules.losses.temporal import warped


def gliding(down: int, right: int, frames: int = 3, size: int = 64) -> Tensor:
    """A window gliding over a smooth texture, ``(1, T, 3, size, size)`` in [-1, 1]; its flow is (right, down)."""
    coarse = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(3)) * 2 - 1
    texture = F.interpolate(coarse, size=120, mode="bicubic").clamp(-1, 1)
    windows = [texture[..., 20 + t * down :, 20 + t * right :][..., :size, :size] for t in range(frames)]
    return torch.stack(windows, dim=1)


def test_dis_finds_the_backward_flow() -> None:
    flow, visible = DISFlow().estimate(gliding(down=-2, right=3))
    assert flow.shape == (1, 2, 2, 64, 64)
    assert visible.shape == (1, 2, 1, 64, 64)
    error = flow - torch.tensor([3.0, -2.0]).view(2, 1, 1)
    assert error[..., 12:52, 12:52].abs().mean() < 0.3
    assert visible[..., 12:52, 12:52].mean() > 0.9
    assert (visible[..., 62:] == 0).all()  # frame t does not show what entered at the right


def test_dis_flow_aligns_frames() -> None:
    frames = gliding(down=2, right=-3)
    flow, visible = DISFlow().estimate(frames)
    still = warped(frames, torch.zeros_like(flow), visible)
    assert warped(frames, flow, visible) < 0.2 * still
    assert warped(frames, -flow, visible) > still


def test_no_gradient_passes() -> None:
    frames = gliding(1, 1, frames=2).requires_grad_()
    assert not any(result.requires_grad for result in DISFlow().estimate(frames))


@pytest.mark.parametrize("size", [(8, 64), (4, 4), (33, 47)])
def test_any_size_and_half_precision(size: tuple[int, int]) -> None:
    flow, visible = DISFlow().estimate((torch.rand(2, 2, 3, *size) * 2 - 1).bfloat16())
    assert flow.shape == (2, 1, 2, *size)
    assert visible.shape == (2, 1, 1, *size)
    assert flow.dtype == visible.dtype == torch.float32


def test_single_frames_have_no_flow() -> None:
    flow, visible = DISFlow().estimate(torch.zeros(2, 1, 3, 16, 16))
    assert flow.shape == (2, 0, 2, 16, 16)
    assert visible.shape == (2, 0, 1, 16, 16)


def test_flow_over_a_gap_is_that_of_the_frames_apart() -> None:
    frames = gliding(down=1, right=-2, frames=4)
    for gap in (1, 2, 3):
        flow, visible = DISFlow().estimate(frames, gap)
        assert flow.shape == (1, 4 - gap, 2, 64, 64)
        assert visible.shape == (1, 4 - gap, 1, 64, 64)
        for t in range(4 - gap):
            alone = DISFlow().estimate(frames[:, [t, t + gap]])
            assert torch.equal(flow[:, t], alone[0][:, 0])
            assert torch.equal(visible[:, t], alone[1][:, 0])
        error = flow - gap * torch.tensor([-2.0, 1.0]).view(2, 1, 1)
        assert error[..., 16:48, 16:48].abs().mean() < 0.3
    assert DISFlow().estimate(frames, 4)[0].shape == (1, 0, 2, 64, 64)
    with pytest.raises(ValueError, match="gap: expected 1 or more frames, got 0"):
        DISFlow().estimate(frames, 0)


@pytest.mark.parametrize(("preset", "settings"), [("medium", None), ("quick", (4, 8, 3))])
def test_dis_is_opencvs(preset: Literal["quick", "medium"], settings: tuple[int, int, int] | None) -> None:
    frames = gliding(down=-1, right=2)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if settings:
        search.setPatchStride(settings[0])
        search.setGradientDescentIterations(settings[1])
        search.setVariationalRefinementIterations(settings[2])
    frames = ((frames + 1) * 127.5).round() / 127.5 - 1  # of grey pictures, so that no luma is rounded differently
    frames = frames[:, :, :1].expand_as(frames)
    grey = [((frame.numpy() + 1) * 127.5).round().astype(np.uint8) for frame in frames[0, :, 0]]
    flow, _ = DISFlow(preset).estimate(frames)
    for t in range(2):
        expected = search.calc(grey[t + 1], grey[t], np.empty(0))
        assert np.array_equal(flow[0, t].movedim(0, -1).numpy(), expected)
    assert torch.equal(DISFlow(preset).between(frames[:, 1], frames[:, 0])[0], flow[0, 0])


def test_presets_differ_and_others_are_refused() -> None:
    frames = gliding(down=-1, right=2)
    assert not torch.equal(DISFlow("quick").estimate(frames)[0], DISFlow().estimate(frames)[0])
    assert torch.equal(DISFlow("medium").estimate(frames)[0], DISFlow().estimate(frames)[0])
    with pytest.raises(ValueError, match="preset: expected quick or medium, got 'slow'; choose one"):
        DISFlow("slow")


@pytest.mark.parametrize("size", [(8, 40), (64, 64)])  # at the first, OpenCV's search remembers the pair before
def test_a_pair_does_not_depend_on_others_nor_on_threads(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    frames = torch.rand(3, 4, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    together, _ = DISFlow().estimate(frames)
    apart = [DISFlow().estimate(frames[i : i + 1, t : t + 2])[0] for i in range(3) for t in range(3)]
    assert torch.equal(together.flatten(0, 1), torch.cat(apart).flatten(0, 1))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(DISFlow().estimate(frames)[0], together)


@pytest.mark.shared
def test_dis_on_a_real_scene_with_known_flow(shared: Path) -> None:
    folder = shared / "flow" / "middlebury" / "RubberWhale"
    frames = [cv2.cvtColor(cv2.imread(str(folder / f"frame{n}.png")), cv2.COLOR_BGR2RGB) for n in (10, 11)]
    here, there = (torch.from_numpy(frame).movedim(-1, 0)[None] / 127.5 - 1 for frame in frames)
    truth = cv2.readOpticalFlow(str(folder / "flow10.flo"))
    known = np.abs(truth).max(-1) < 1e9
    found = DISFlow().between(here, there)[0].movedim(0, -1).numpy()
    assert np.linalg.norm(found - truth, axis=-1)[known].mean() < 0.5  # pixels; the scene moves by 1.3 on average
    assert np.linalg.norm(truth, axis=-1)[known].mean() > 1


@pytest.fixture(scope="module")
def raft_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "raft_small.pth"
    torch.save(raft_small().state_dict(), path)
    return path


def test_raft_runs_frozen_at_any_size(raft_weights: Path) -> None:
    estimator = RAFTFlow("small", raft_weights).train()
    assert not list(estimator.parameters())
    assert not estimator.state_dict()
    frames = torch.rand(1, 2, 3, 36, 50)
    flow, visible = estimator.estimate(frames)
    assert flow.shape == (1, 1, 2, 36, 50)
    assert visible.shape == (1, 1, 1, 36, 50)
    assert torch.equal(estimator.estimate(frames)[0], flow)
    assert not flow.requires_grad


def test_raft_is_asked_for_the_backward_flow(raft_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = RAFTFlow("small", raft_weights)
    asked: list[tuple[float, float]] = []

    def network(first: Tensor, second: Tensor) -> list[Tensor]:
        asked.append((first[0, 0, 0, 0].item(), second[0, 0, 0, 0].item()))
        return [torch.full((1, 2, *first.shape[-2:]), float(len(asked)))]

    monkeypatch.setattr(estimator.network, "forward", network)
    frames = torch.stack([torch.zeros(3, 16, 16), torch.ones(3, 16, 16)])[None]
    flow, _ = estimator.estimate(frames)
    backward = asked.index((1.0, 0.0))  # torchvision's flow leads from its first argument to its second
    assert (flow == backward + 1).all()
    asked.clear()
    estimator.estimate(torch.stack([torch.full((3, 16, 16), value) for value in (0.0, 0.5, 1.0)])[None], gap=2)
    assert set(asked) == {(1.0, 0.0), (0.0, 1.0)}


def test_raft_refuses_other_weights(raft_weights: Path) -> None:
    with pytest.raises(ValueError, match="expected the weights of torchvision's raft_large, got others"):
        RAFTFlow("large", raft_weights)
    with pytest.raises(ValueError, match="small or large, got 'medium'"):
        RAFTFlow("medium")
