"""The default data: exact flow on its own clips, exact sampling, and photographs kept apart from those of validation."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules import moving_scenes
from datamodules.batch import ClipBatch, Clips
from datamodules.moving_scenes import (
    PHOTOGRAPHS,
    MovingScenes,
    PaintingScenes,
    PhotographScenes,
    coloured,
    painting,
    photograph,
)
from datamodules.paintings import PALETTES
from datamodules.random import Draw

SIZE = (72, 96)
Align = Callable[[Clips], tuple[Tensor, Tensor, Tensor]]
Smooth = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, smooth: Smooth) -> Iterator[None]:
    """Slow waves of colour in place of paintings, which take seconds each."""
    monkeypatch.setattr(moving_scenes, "paint", lambda draws, palette: smooth(int(draws.integers(1000)), 200, 200))
    painting.cache_clear()
    yield
    painting.cache_clear()


def scenes(**options: object) -> MovingScenes:
    return MovingScenes(**({"size": (32, 32), "clips": 6, "workers": 0} | options))


def epoch(data: MovingScenes, number: int) -> list[ClipBatch]:
    data.setup()
    loader = data.train_dataloader()
    loader.sampler.done = lambda: number * loader.sampler.batches
    return list(loader)


def same(a: Clips, b: Clips) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None)


@pytest.mark.parametrize("index", range(3))
def test_flow_aligns_the_frames_of_the_real_source(
    index: int, monkeypatch: pytest.MonkeyPatch, smooth: Smooth, align: Align
) -> None:
    # All of it is as in training, but the photographs are smooth, so that reading between pixels costs nothing.
    monkeypatch.setattr(moving_scenes, "photograph", lambda name: smooth(sum(map(ord, name))))
    source = PhotographScenes("train", 3, SIZE, layers=3, noise=0.0, speed=0.03, length=6)
    clips = source.clip(Draw(0, 0, index))
    moved, still, seen = align(clips)
    assert 0.5 < seen.float().mean() < 1
    assert moved[seen].mean() < 0.5  # grey levels: rounding
    assert moved[seen].max() < 6
    assert still[seen].mean() > 3 * moved[seen].mean()
    assert align(clips._replace(flow=-clips.flow))[0][seen].mean() > still[seen].mean()  # backward, not forward


def test_flow_aligns_real_photographs(align: Align) -> None:
    source = PhotographScenes("train", 3, SIZE, layers=2, noise=0.0, speed=0.03, length=12)
    moved, still, hidden = 0.0, 0.0, 0.0
    for index in range(6):
        along, across, seen = align(source.clip(Draw(1, 0, index)))
        moved, still, hidden = moved + along[seen].mean(), still + across[seen].mean(), hidden + along[~seen].mean()
    assert moved < 0.35 * still  # what is left is reading sharp pictures between their pixels
    assert hidden > 2 * moved


def test_a_camera_at_rest_hides_rims_only() -> None:
    for index in range(4):
        clips = PhotographScenes("train", 3, SIZE, layers=2, noise=0.0, speed=0.0, length=4).clip(Draw(0, 0, index))
        assert clips.flow.abs().max() < 1e-3
        assert torch.equal(clips.frames[0], clips.frames[2])
        assert clips.visible[..., 1:-1, 1:-1].float().mean() > 0.9


def test_a_draw_decides_a_clip(quick: None) -> None:
    data = scenes()
    for source in (data.content_clips("train"), data.style_clips("train")):
        draw, *others = Draw(0, 0, 1), Draw(0, 1, 1), Draw(0, 0, 2), Draw(1, 0, 1)
        first = source.clip(draw)
        assert same(first, source.clip(draw))
        assert not any(torch.equal(source.clip(other).frames, first.frames) for other in others)
        assert not any(torch.equal(source.clip(other).flow, first.flow) for other in others)


def test_clips_are_what_the_loader_expects(quick: None) -> None:
    (batch, *_) = epoch(scenes(batch_size=2, frames=4), 0)
    for clips in (batch.content, batch.style):
        assert clips.frames.shape == (2, 4, 3, 36, 36)
        assert clips.frames.dtype == torch.uint8
        assert clips.flow.shape == (2, 3, 2, 36, 36)
        assert clips.flow.dtype == torch.float32
        assert clips.visible.shape == (2, 3, 1, 36, 36)
        assert clips.visible.unique().tolist() in ([0, 1], [1])


def test_single_frames(quick: None) -> None:
    (batch, *_) = epoch(scenes(frames=1), 0)
    assert batch.content.frames.shape == (2, 1, 3, 36, 36)
    assert batch.content.flow.shape == (2, 0, 2, 36, 36)


def test_palettes_are_styles_with_ids(quick: None) -> None:
    data = scenes(palette="all", clips=12)  # all paintings
    shown = [int(style) for batch in epoch(data, 0) for style in batch.style_id]
    assert data.styles == tuple(PALETTES)
    assert set(shown) == {0, 1, 2}
    assert [data.train.style.style_id(index) for index in range(4)] == [0, 1, 2, 0]


def test_workers_do_not_matter(quick: None) -> None:
    for a, b in zip(epoch(scenes(workers=0), 1), epoch(scenes(workers=2), 1), strict=True):
        assert same(a.content, b.content)
        assert same(a.style, b.style)


def test_validation_is_fixed_and_of_other_photographs(quick: None) -> None:
    data = scenes()
    data.setup()
    for a, b in zip(data.val_dataloader(), data.val_dataloader(), strict=True):
        assert same(a.content, b.content)
        assert same(a.style, b.style)
    assert not set(PHOTOGRAPHS["train"]) & set(PHOTOGRAPHS["val"])
    assert not set(data.content_clips("train").names) & set(data.content_clips("val").names)


@pytest.mark.parametrize("name", PHOTOGRAPHS["train"] + PHOTOGRAPHS["val"])
def test_photographs_come_with_scikit_image(name: str) -> None:
    picture = photograph(name)
    assert picture.shape[2] == 3
    assert min(picture.shape[:2]) >= 256
    assert picture.std() > 10


def test_grey_photographs_get_colours_and_keep_their_light_and_others_stay_as_they_are() -> None:
    grey, colourful = photograph("coins"), photograph("coffee")
    tinted = coloured(np.random.default_rng(0), grey)
    assert tinted.shape == grey.shape
    assert tinted.dtype == np.uint8
    assert (tinted - tinted.mean(-1, keepdims=True)).std() > 5
    assert abs(float(tinted.mean()) - float(grey.mean())) < 15
    assert np.corrcoef(tinted.mean(-1).flatten(), grey[..., 0].flatten())[0, 1] > 0.7
    assert coloured(np.random.default_rng(0), colourful) is colourful


def test_clips_of_grey_photographs_are_coloured() -> None:
    source = PhotographScenes("train", 1, (32, 32), 0, 0.0, 0.01, 10)
    frames = source.clip(Draw(0, 0, PHOTOGRAPHS["train"].index("coins"))).frames.float()
    assert (frames - frames.mean(1, keepdim=True)).abs().max() > 5


def test_noise_is_that_of_a_sensor() -> None:
    def clip(noise: float) -> Tensor:
        return PhotographScenes("train", 3, SIZE, 1, noise, 0.02, 4).clip(Draw(0, 0, 0)).frames.float()

    difference = clip(0.1) - clip(0.0)
    assert 1 < difference.std() < 0.1 * 255  # up to the largest
    assert abs(difference.mean()) < 1
    assert torch.corrcoef(difference[:2].flatten(1))[0, 1].abs() < 0.05  # new in each frame


def test_palettes_and_paintings(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[str] = []

    def paint(draws: np.random.Generator, palette: str) -> NDArray[np.uint8]:
        painted.append(palette)
        return np.zeros((200, 200, 3), dtype=np.uint8)

    monkeypatch.setattr(moving_scenes, "paint", paint)
    for palette, expected in (("dusk", {"dusk"}), ("all", {"night", "wheat", "dusk"})):
        painting.cache_clear()
        painted.clear()
        source = scenes(palette=palette).style_clips("train")
        for index in [*range(len(source)), 0]:
            source.clip(Draw(0, 3, index))
        assert set(painted) == expected
        assert len(painted) == len(source) == 4 * len(expected)  # each is painted once
    painting.cache_clear()


def test_options_reach_the_clips(quick: None) -> None:
    still = scenes(speed=0.0, noise=0.0, layers=0).content_clips("train").clip(Draw(0, 0, 0))
    assert torch.equal(still.frames[0], still.frames[1])
    assert still.visible[..., 1:-1, 1:-1].all()  # no layers, no rims
    assert isinstance(scenes().style_clips("train"), PaintingScenes)
    assert len(scenes(clips=9).content_clips("train")) == 9


def test_skies_take_their_share_of_the_training_pictures_and_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bool] = []

    def sky(draws: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
        drawn.append(size == moving_scenes.SKY)  # others light grey photographs
        return np.full((*size, 3), 200, dtype=np.uint8)

    monkeypatch.setattr(moving_scenes, "sky", sky)
    for share, least, most in ((0.0, 0, 0), (0.3, 6, 18), (1.0, 40, 40)):
        drawn.clear()
        source = scenes(skies=share, layers=0, noise=0.0).content_clips("train")
        clips = [source.clip(Draw(0, 0, index)) for index in range(40)]
        assert least <= sum(drawn) <= most
        assert sum(bool((clip.frames == 200).all()) for clip in clips) == sum(drawn)
    drawn.clear()
    scenes(skies=1.0).content_clips("val").clip(Draw(0, 0, 0))
    assert not any(drawn)


def test_all_wrong_options_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="MovingScenes: ") as caught:
        scenes(layers=-1, noise=1.5, skies=2, speed=-0.1, clips=0, palette="blue", batch_size=0)
    told = str(caught.value)
    for problem in (
        "batch_size must be >= 1, got 0",
        "layers must be >= 0, got -1",
        "noise must be in [0, 1], got 1.5",
        "skies must be in [0, 1], got 2",
        "speed must be >= 0, got -0.1",
        "clips must be >= 1, got 0",
        "palette must be one of night, wheat, dusk or all, got blue",
    ):
        assert problem in told
