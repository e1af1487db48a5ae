"""The guards: their numbers against SciPy in float64, which cheats they name, and what they leave alone."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import laplace, map_coordinates, uniform_filter
from torch import Tensor

from datamodules.batch import Clips, stack
from datamodules.camera import backward_flow, random_motion, render
from datamodules.moving_scenes import photograph, to_clip
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.metrics.degenerate import Degenerate

SIZE, FRAMES = (128, 160), 4
NOISE = 4 / 255  # on [-1, 1]: 2/255 of full range

Picture = NDArray[np.uint8]


def moving(picture: Picture, motion_seed: int) -> Clips:
    """A picture of 300x400 under a camera path; others of that size move alike with the same seed."""
    motion = random_motion(np.random.default_rng(motion_seed), FRAMES, SIZE, (300, 400))
    texture = cv2.resize(picture, (400, 300), interpolation=cv2.INTER_AREA)
    clip = to_clip(render(texture, motion, SIZE), *backward_flow(motion, SIZE))
    return stack([clip._replace(frames=clip.frames / 127.5 - 1)])


def noisy(frames: Tensor, sigma: float = NOISE) -> Tensor:
    return (frames + sigma * torch.randn(frames.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)


@pytest.fixture(scope="module")
def clips() -> list[Clips]:
    """Photographs in exact motion, with sensor noise."""
    found = [moving(photograph(name), seed) for seed, name in enumerate(("astronaut", "chelsea", "rocket"))]
    return [clip._replace(frames=noisy(clip.frames)) for clip in found]


def judge(paint: Callable[[Tensor], Tensor], clips: list[Clips]) -> Degenerate:
    metric = Degenerate()
    for clip in clips:
        with torch.no_grad():
            metric.update(paint(clip.frames), clip.frames, clip.flow, clip.visible)  # type: ignore[arg-type]
    return metric


def box(frames: Tensor, side: int) -> Tensor:
    padded = F.pad(frames.flatten(0, 1), (side // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, side, stride=1).view_as(frames)


def mean_colour(frames: Tensor) -> Tensor:
    return frames.mean((-2, -1), keepdim=True).expand_as(frames)


def first_frame(frames: Tensor) -> Tensor:
    return frames[:, :1].expand_as(frames)


CHEATS: dict[str, tuple[Callable[[Tensor], Tensor], list[str]]] = {
    "black": (lambda x: torch.full_like(x, -1.0), ["constant"]),
    "mean colour of each frame": (mean_colour, ["constant"]),
    "mean colour and noise": (lambda x: noisy(mean_colour(x), 1 / 127.5), ["constant"]),
    "input": (lambda x: x, ["identity"]),
    "input and noise": (noisy, ["identity"]),
    "first frame": (first_frame, ["frozen"]),
    "first frame, other colours, and noise": (lambda x: noisy(-0.6 * first_frame(x).flip(2)), ["frozen"]),
    "box of 5": (lambda x: box(x, 5), ["blurred"]),
    "box of 9": (lambda x: box(x, 9), ["blurred"]),
    "box of 5, other colours": (lambda x: -0.4 * box(x, 5).flip(2), ["blurred"]),
    "first frame, blurred": (lambda x: box(first_frame(x), 7), ["frozen", "blurred"]),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_cheats_are_named(cheat: str, clips: list[Clips]) -> None:
    paint, names = CHEATS[cheat]
    assert judge(paint, clips).flags() == names
    assert judge(paint, clips[1:2]).flags() == names


def test_healthy_outputs_are_not(clips: list[Clips]) -> None:
    torch.manual_seed(0)
    assert judge(CycleGAN().eval().stylize, clips).flags() == []
    assert judge(lambda x: (1.3 * x).clamp(-1, 1).flip(2), clips).flags() == []


def test_numbers_equal_the_definitions(clips: list[Clips]) -> None:
    content = clips[0]
    assert content.flow is not None and content.visible is not None  # noqa: PT018
    output = noisy(box(content.frames, 3) * 0.7, 0.05)
    found = judge(lambda _: output, clips[:1]).compute()
    a, b = (x[0].double().numpy() for x in (output, content.frames))
    flow, visible = content.flow[0].double().numpy(), content.visible[0].numpy()
    contrast = np.sqrt(a.var((-2, -1)).mean() / b.var((-2, -1)).mean())
    expected = [contrast, np.abs(a - b).mean() / 2, stillness(a, flow, visible), stillness(b, flow, visible)]
    blurred = np.stack([[uniform_filter(plane, 5)[2:-2, 2:-2] for plane in frame] for frame in b])
    fine = detail(a) / a.var((-2, -1)).mean()
    expected += [fine / (detail(x) / b.var((-2, -1)).mean()) for x in (blurred, b)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def detail(frames: np.ndarray) -> float:
    return float(np.mean([[(laplace(plane)[1:-1, 1:-1] ** 2).mean() for plane in frame] for frame in frames]))


def stillness(frames: np.ndarray, flow: np.ndarray, visible: np.ndarray) -> float:
    """U / W, place by place."""
    grid, sums = np.mgrid[: SIZE[0], : SIZE[1]].astype(float), np.zeros(2)
    for t in range(FRAMES - 1):
        counted = (np.square(flow[t]).sum(0) > 1) & (visible[t, 0] > 0)
        for before, after in zip(frames[t], frames[t + 1], strict=True):
            carried = map_coordinates(before, grid + flow[t, ::-1], order=1, mode="nearest")
            sums += [np.square(x - after)[counted].sum() for x in (before, carried)]
    return float(sums[0] / sums[1])


def test_batches_and_ranks_do_not_matter(clips: list[Clips]) -> None:
    whole, paint = Degenerate(), first_frame
    together = stack([Clips(*(x[0] for x in clip)) for clip in clips])  # type: ignore[index]
    whole.update(paint(together.frames), together.frames, together.flow, together.visible)  # type: ignore[arg-type]
    ranks = [judge(paint, clips[rank::2]) for rank in range(2)]
    torch.testing.assert_close(ranks[0].sums + ranks[1].sums, whole.sums, rtol=1e-6, atol=1e-12)


def test_nothing_is_frozen_where_the_input_does_not_move(clips: list[Clips]) -> None:
    still = clips[0]._replace(frames=noisy(first_frame(clips[0].frames)), flow=torch.zeros_like(clips[0].flow))  # type: ignore[type-var]
    assert judge(lambda x: 0.5 * first_frame(x).flip(2), [still]).flags() == []
    # Nor where flow was made up for a still scene.
    wrong = still._replace(flow=torch.full_like(still.flow, 3.0))  # type: ignore[type-var]
    assert judge(lambda x: 0.5 * first_frame(x).flip(2), [wrong]).flags() == []


def test_output_as_soft_as_a_soft_input_is_not_blurred(clips: list[Clips]) -> None:
    soft = [clip._replace(frames=box(box(clip.frames, 17), 17)) for clip in clips]
    assert judge(lambda x: x, soft).compute()[4] < 2.5  # hardly sharper than its own blur
    assert judge(lambda x: 0.8 * x.flip(2), soft).flags() == []


def test_nothing_is_said_of_nothing() -> None:
    grey = Clips(torch.zeros(1, 2, 3, 8, 8), torch.zeros(1, 1, 2, 8, 8), torch.ones(1, 1, 1, 8, 8))
    assert judge(lambda x: x + 0.5, [grey]).flags() == []
    assert Degenerate().flags() == []


def test_refusals(clips: list[Clips]) -> None:
    frames, flow, visible = clips[0]
    for output, content in ((frames[:, :1], frames[:, :1]), (frames[..., :-1], frames), (frames[0], frames[0])):
        with pytest.raises(ValueError, match=r"two batches of clips .* compare a clip with its own repainting"):
            Degenerate().update(output, content, flow, visible)  # type: ignore[arg-type]


# Real material: needs the folder of test data.


@pytest.mark.shared
def test_paintings_that_move_as_the_input_does_are_healthy(shared: Path) -> None:
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted((shared / "styles").glob("*.jpg"))[::3]]
    metrics = [Degenerate() for _ in pictures]
    for seed, (picture, metric) in enumerate(zip(pictures, metrics, strict=True)):
        content, painting = moving(photograph("astronaut"), seed), moving(picture, seed)
        metric.update(painting.frames, noisy(content.frames), content.flow, content.visible)  # type: ignore[arg-type]
    assert len(metrics) > 4
    assert [metric.flags() for metric in metrics] == [[]] * len(metrics)


@pytest.mark.shared
@pytest.mark.parametrize("sequence", ["00003/0636", "00026/0256", "00036/0783", "00075/0736"])
def test_real_clips_and_a_frame_wise_network(sequence: str, shared: Path, mosaic: Callable[[Tensor], Tensor]) -> None:
    paths = sorted((shared / "vimeo_septuplet" / "sequences" / sequence).glob("im[1-3].png"))
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    clip = with_estimated_flow([picture[64:192, 140:300] for picture in pictures])
    torch.manual_seed(0)
    assert judge(lambda frames: mosaic(frames[0])[None], [clip]).flags() == []
    assert judge(CycleGAN().eval().stylize, [clip]).flags() == []
    assert judge(lambda x: x, [clip]).flags() == ["identity"]
    assert judge(lambda x: box(x, 5), [clip]).flags() == ["blurred"]


def with_estimated_flow(pictures: list[Picture]) -> Clips:
    """Backward flow, visible where it agrees with the forward flow (the rule of Lai et al. 2018)."""
    estimator, pairs = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), []
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    for before, after in pairwise(grey):
        back, forth = estimator.calc(after, before, None), estimator.calc(before, after, None)
        grid = np.mgrid[: back.shape[0], : back.shape[1]].astype(np.float32)
        there = cv2.remap(forth, grid[1] + back[..., 0], grid[0] + back[..., 1], cv2.INTER_LINEAR)
        apart = np.square(back + there).sum(-1)
        pairs.append((back, apart < 0.01 * (np.square(back).sum(-1) + np.square(there).sum(-1)) + 0.5))
    flow, visible = (torch.from_numpy(np.stack(x)) for x in zip(*pairs, strict=True))
    frames = torch.from_numpy(np.stack(pictures)).movedim(-1, 1) / 127.5 - 1
    return Clips(frames[None], flow.movedim(-1, 1)[None], visible[None, :, None])
