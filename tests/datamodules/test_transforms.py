"""Changes on the device: flow and masks follow the frames, and one draw holds for a whole clip."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batch import Clips, stack
from datamodules.camera import backward_flow, random_motion, render
from datamodules.random import rng
from datamodules.transforms import ClipTransform, crop, hflip, jitter

SIZE = (48, 64)
Align = Callable[[Clips], tuple[Tensor, Tensor, Tensor]]
Smooth = Callable[..., NDArray[np.uint8]]


def filmed(picture: NDArray[np.uint8], seed: int = 0) -> Clips:
    """A clip of a picture under a moving camera, uint8, with exact flow."""
    motion = random_motion(np.random.default_rng(seed), 3, SIZE, picture.shape[:2], speed=0.03)
    flow, visible = backward_flow(motion, SIZE)
    frames = torch.from_numpy(render(picture, motion, SIZE)).permute(0, 3, 1, 2).contiguous()
    return Clips(frames, torch.from_numpy(flow), torch.from_numpy(visible))


@pytest.mark.parametrize(
    "change",
    [lambda c: c, lambda c: crop(c, 3, 11, (36, 40)), hflip, lambda c: hflip(crop(c, 9, 2, (32, 50)))],
    ids=["nothing", "crop", "flip", "both"],
)
def test_flow_stays_bound_to_the_frames(change: Callable[[Clips], Clips], smooth: Smooth, align: Align) -> None:
    clips = change(filmed(smooth(3)))
    moved, still, seen = align(clips)
    assert seen.float().mean() > 0.5
    assert moved[seen].max() < 4  # grey levels
    assert still[seen].mean() > 5


def test_crop_hides_what_was_outside_the_window_before(smooth: Smooth) -> None:
    clips = filmed(smooth(3))
    clips = clips._replace(flow=torch.zeros_like(clips.flow), visible=torch.ones_like(clips.visible))
    clips.flow[:, 0] = 4  # what is at p was further right
    visible = crop(clips, 5, 10, (30, 40)).visible
    assert (visible[..., :-4] == 1).all()
    assert (visible[..., -4:] == 0).all()
    clips.visible[..., 20] = 0
    assert (crop(clips, 5, 10, (30, 40)).visible[..., 10] == 0).all()


def test_crop_of_crop_and_flip_of_flip(smooth: Smooth) -> None:
    clips = filmed(smooth(3))
    for twice, once in (
        (crop(crop(clips, 4, 6, (40, 50)), 3, 5, (30, 40)), crop(clips, 7, 11, (30, 40))),
        (hflip(hflip(clips)), clips),
    ):
        for a, b in zip(twice, once, strict=True):
            assert torch.equal(a, b)


def test_clips_without_flow_are_changed_alike(smooth: Smooth) -> None:
    clips = filmed(smooth(3))
    bare = Clips(clips.frames)
    assert torch.equal(crop(bare, 1, 2, (30, 40)).frames, crop(clips, 1, 2, (30, 40)).frames)
    assert torch.equal(hflip(bare).frames, hflip(clips).frames)
    assert hflip(bare).flow is None
    assert crop(bare, 1, 2, (30, 40)).visible is None


def test_without_draws_it_is_a_centre_crop_in_floats(smooth: Smooth) -> None:
    batch = stack([filmed(smooth(seed), seed) for seed in range(2)])
    plain = ClipTransform((32, 40), flip=1.0, strength=1.0)(batch, None, colour=True)
    assert plain.frames.dtype == plain.visible.dtype == torch.float32
    expected = batch.frames[..., 8:40, 12:52].double() / 255 * 2 - 1
    torch.testing.assert_close(plain.frames.double(), expected, atol=1e-6, rtol=0)
    assert torch.equal(plain.flow, batch.flow[..., 8:40, 12:52])


def test_one_draw_holds_for_all_frames_of_a_clip() -> None:
    picture = torch.randint(0, 256, (1, 1, 3, 36, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batch = Clips(picture.expand(2, 4, 3, 36, 40))
    changed = ClipTransform((32, 32), flip=0.5, strength=0.5)(batch, [rng(0, "x", 0, i) for i in range(2)], colour=True).frames
    assert torch.equal(changed, changed[:, :1].expand_as(changed))
    assert not torch.equal(changed[0], changed[1])
    assert changed.min() >= -1
    assert changed.max() <= 1


def test_a_batch_is_a_loop_over_its_clips(smooth: Smooth) -> None:
    clips = [filmed(smooth(seed), seed) for seed in range(3)]
    transform = ClipTransform((32, 40), flip=0.5, strength=0.3)
    together = transform(stack(clips), [rng(7, "x", 0, i) for i in range(3)], colour=True)
    alone = [transform(stack([clip]), [rng(7, "x", 0, i)], colour=True) for i, clip in enumerate(clips)]
    for a, b in zip(together, (torch.cat(parts) for parts in zip(*alone, strict=True)), strict=True):
        torch.testing.assert_close(a, b)


def test_colours_change_only_where_they_may(smooth: Smooth) -> None:
    batch = stack([filmed(smooth(1))])
    args = ([rng(1, "x")], [rng(1, "x")], [rng(1, "x")])
    plain = ClipTransform((32, 40), 0.5, strength=0.0)(batch, args[0], colour=True).frames
    style = ClipTransform((32, 40), 0.5, strength=0.8)(batch, args[1], colour=False).frames
    content = ClipTransform((32, 40), 0.5, strength=0.8)(batch, args[2], colour=True).frames
    assert torch.equal(plain, style)
    assert (content - plain).abs().mean() > 0.02


def test_flips_as_often_as_asked_and_crops_everywhere() -> None:
    columns = torch.arange(12, dtype=torch.uint8).expand(1, 1, 3, 9, 12) * 10
    rows = torch.arange(9, dtype=torch.uint8)[:, None].expand(1, 1, 3, 9, 12) * 10
    flips, lefts, tops = 0, set(), set()
    for i in range(300):
        transform = ClipTransform((6, 8), flip=0.3, strength=0.0)
        wide = (transform(Clips(columns), [rng(0, "x", i)], colour=True).frames[0, 0, 0, 0] + 1) * 12.75
        high = (transform(Clips(rows), [rng(0, "x", i)], colour=True).frames[0, 0, 0, :, 0] + 1) * 12.75
        flips += int(wide[0] > wide[-1])
        lefts.add(round(wide.min().item()))
        tops.add(round(high.min().item()))
    assert abs(flips / 300 - 0.3) < 4 * (0.3 * 0.7 / 300) ** 0.5
    assert lefts == set(range(5))
    assert tops == set(range(4))


def test_jitter_of_strength_0_is_nothing() -> None:
    frames = torch.rand(2, 3, 8, 8) * 2 - 1
    torch.testing.assert_close(jitter(frames, rng(0, "x"), 0.0), frames, atol=1e-5, rtol=0)
