"""It learns: short versions of the claims, judged on photographs never trained on, with exact flow and sensor noise.

``make prove ARGS=tests/test_learning.py`` runs the long versions: the default length, and pairs with and without the temporal
terms for three seeds.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from datamodules.batch import Clips, stack
from datamodules.camera import backward_flow, random_motion, render
from datamodules.moving_scenes import PaintingScenes, PhotographScenes, photograph, to_clip
from datamodules.random import Draw
from fit.cli import main
from lightning_modules.base import StyleMethod
from lightning_modules.losses.perceptual import FeatureExtractor
from lightning_modules.metrics.style_distance import gram_distance, mean_grams
from lightning_modules.metrics.warping_error import flicker_ratio, warping_error

NOISE = 2 / 255  # of full range
SIZE, FRAMES, CLIPS = (128, 128), 5, 8
PHOTOGRAPHS = ("amber.jpg", "tubingen.jpg", "colva_beach_sq.jpg", "dog1.jpg")
NO_TEMPORAL = ["--model.temporal_weight", "0", "--model.clip_weight", "0"]

Paint = Callable[[Tensor], Tensor]


def noisy(clips: list[Clips], seed: int) -> Clips:
    """Clips to [-1, 1], with sensor noise."""
    batch = stack(clips)
    frames = batch.frames.float() / 127.5 - 1
    draws = np.random.default_rng(seed).normal(0, 2 * NOISE, frames.shape)
    return batch._replace(frames=(frames + torch.from_numpy(draws).float()).clamp(-1, 1), visible=batch.visible.float())


@pytest.fixture(scope="module")
def content() -> Clips:
    source = PhotographScenes("val", FRAMES, SIZE, layers=2, noise=0, speed=0.015, length=CLIPS)
    return noisy([source.clip(Draw(99, 0, i)) for i in range(CLIPS)], 1)


@pytest.fixture(scope="module")
def photographs(content: Clips, shared: Path) -> Clips:
    """More content that is never trained on: four photographs and the two of the validation split, in motion."""
    pictures = [np.asarray(Image.open(shared / "content" / name).convert("RGB")) for name in PHOTOGRAPHS]
    pictures += [photograph(name) for name in ("chelsea", "rocket")]
    clips = []
    for i in range(16):
        picture, draws = pictures[i % len(pictures)], np.random.default_rng(i)
        motion = random_motion(draws, FRAMES, SIZE, picture.shape[:2])
        clips.append(to_clip(render(picture, motion, SIZE), *backward_flow(motion, SIZE)))
    return noisy(clips, 4)


@pytest.fixture(scope="module")
def style() -> Clips:
    source = PaintingScenes(("night",), 4, FRAMES, SIZE, speed=0.015, seed=0)
    return noisy([source.clip(Draw(99, i // 4, i % 4)) for i in range(CLIPS)], 2)


def added_flicker(paint: Paint, content: Clips, style: Clips) -> float:
    """A = R(out) / R(style): against what the paintings themselves would flicker under such a camera."""
    ratio = flicker_ratio(paint(content.frames), content.frames, content.flow, content.visible)
    own = warping_error(style.frames, style.flow, style.visible) / style.frames.var()
    return float(ratio / (own / (warping_error(content.frames, content.flow, content.visible) / content.frames.var())))


def style_distance(extractor: FeatureExtractor, pictures: Tensor, style: Clips) -> float:
    """Gram distance of pictures ``(N, 3, H, W)`` to the paintings."""
    with torch.no_grad():
        target = mean_grams([extractor(style.frames[:, 0])])
        return float(gram_distance(mean_grams([extractor(pictures)]), target))


def block_pattern(frames: Tensor, period: int = 4) -> float:
    """How unequal the mean step between neighbouring pixels is over the columns and rows of a block: 0 for none."""
    unequal = []
    for axis in (-1, -2):
        steps = frames.diff(dim=axis).abs().transpose(axis, -1)
        whole = steps[..., : steps.shape[-1] // period * period]
        phases = whole.unflatten(-1, (-1, period)).flatten(0, -2).mean(0)
        unequal.append(float((phases.max() - phases.min()) / phases.mean()))
    return max(unequal)


def train(folder: Path, *options: str, threads: int = 1) -> StyleMethod:
    """A run by the command line, from a folder of its own."""
    torch.set_num_threads(threads)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        model: StyleMethod = main(["--card", "0", *options]).model
    return model


def vgg(shared: Path) -> FeatureExtractor:
    weights = str(shared / "weights" / "vgg19_normalised_conv3_1.pth")
    return FeatureExtractor("vgg19", layers=["relu1_1", "relu2_1", "relu3_1"], weights=weights)


def colour_transfer(pictures: Tensor, style: Clips) -> Tensor:
    """The cheap cheat: give the pictures the paintings' mean colour."""
    mean = style.frames.mean((0, 1, 3, 4))
    return (pictures - pictures.mean((0, 2, 3)).view(3, 1, 1) + mean.view(3, 1, 1)).clamp(-1, 1)


def blurred(pictures: Tensor) -> Tensor:
    """The other cheap cheat."""
    return F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), 5, stride=1)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> StyleMethod:
    return train(tmp_path_factory.mktemp("short"), "--model.steps", "80", "--data.workers", "0")


@pytest.mark.timeout(900)  # the first of the two trains: minutes on a busy core that has no bfloat16
def test_a_short_run_adds_no_flicker_and_no_block_pattern(short_run: StyleMethod, content: Clips, style: Clips) -> None:
    assert added_flicker(short_run.stylize, content, style) <= 1.3
    assert block_pattern(short_run.stylize(content.frames)) <= block_pattern(content.frames) + 0.05


@pytest.mark.shared
@pytest.mark.timeout(900)
def test_a_short_run_approaches_the_style(short_run: StyleMethod, photographs: Clips, style: Clips, shared: Path) -> None:
    extractor, pictures = vgg(shared), photographs.frames[:, 0]
    distance = style_distance(extractor, short_run.stylize(pictures), style)
    assert distance < 0.8 * style_distance(extractor, pictures, style)
    assert distance < style_distance(extractor, blurred(pictures), style)


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("look", ["night", "van_gogh"])
def test_the_default_run_is_in_the_style_without_flicker(
    look: str, tmp_path: Path, photographs: Clips, style: Clips, shared: Path
) -> None:
    options = []
    if look == "van_gogh":
        style = van_gogh(tmp_path, shared)
        options = ["--data.style", str(tmp_path / "van_gogh")]
    method, extractor, content = train(tmp_path, *options, threads=2), vgg(shared), photographs
    pictures = content.frames[:, 0]
    distance = style_distance(extractor, method.stylize(pictures), style)
    others = {
        "input": style_distance(extractor, pictures, style),
        "mean colour": style_distance(extractor, colour_transfer(pictures, style), style),
        "blur": style_distance(extractor, blurred(pictures), style),
    }
    flicker, pattern = added_flicker(method.stylize, content, style), block_pattern(method.stylize(content.frames))
    print(f"\n{look}: style {distance:.3f} ({others}), A {flicker:.2f}, block pattern {pattern:.3f}")
    assert distance <= 0.6 * others["input"]
    assert distance < min(others["mean colour"], others["blur"])
    assert flicker <= 1.3
    assert pattern <= block_pattern(content.frames) + 0.05


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.timeout(7200)
def test_the_temporal_terms_lower_flicker_at_equal_style(
    tmp_path: Path, photographs: Clips, style: Clips, shared: Path
) -> None:
    extractor, content, rows = vgg(shared), photographs, []
    for seed in range(3):
        for name, off in (("with", []), ("without", NO_TEMPORAL)):
            method = train(tmp_path, "--model.steps", "150", "--seed", str(seed), *off, threads=2)
            distance = style_distance(extractor, method.stylize(content.frames[:, 0]), style)
            rows.append((name, distance, added_flicker(method.stylize, content, style)))
            print(f"\nseed {seed} {name} the temporal terms: style {distance:.3f}, A {rows[-1][2]:.2f}")
    distance = {name: median(d for n, d, _ in rows if n == name) for name in ("with", "without")}
    flicker = {name: median(a for n, _, a in rows if n == name) for name in ("with", "without")}
    assert flicker["with"] < flicker["without"]
    assert distance["with"] <= 1.1 * distance["without"]


def van_gogh(folder: Path, shared: Path) -> Clips:
    """Two pictures in a folder of their own, and clips of them in motion."""
    from datamodules.style import style_source

    own = folder / "van_gogh"
    own.mkdir()
    for name in ("starry_night.jpg", "vg_la_cafe.jpg"):
        (own / name).symlink_to((shared / "styles" / name).resolve())
    source = style_source(str(own), FRAMES, SIZE)
    return noisy([source.clip(Draw(99, i // 2, i % 2)) for i in range(CLIPS)], 3)
