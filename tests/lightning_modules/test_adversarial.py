"""What methods share; the terms themselves are held to their formulae in the tests of the methods."""

import pytest
import torch

from datamodules.batch import Clips
from lightning_modules.adversarial import each, palette_distance, size_problems, together
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.losses.patch_distribution import patch_distance, random_filters


def test_clips_and_pictures_are_painted_in_one_pass() -> None:
    calls, clips, pictures = [], torch.rand(2, 3, 3, 4, 4), torch.rand(5, 3, 4, 4)
    painted, kept = together(lambda frames: calls.append(len(frames)) or 2 * frames, clips, pictures)
    assert torch.equal(painted, 2 * clips)
    assert torch.equal(kept, 2 * pictures)
    assert calls == [11]


def test_each_is_the_mean_over_slots() -> None:
    assert each(lambda a, b: (a - b).square(), torch.tensor([1.0, 4.0]), torch.tensor([0.0, 1.0])) == 5


def test_the_palette_counts_colour_more_than_light() -> None:
    chance = torch.Generator().manual_seed(0)
    pictures, filters = 0.3 * torch.randn(4, 3, 32, 32, generator=chance), random_filters(200, 7, chance)
    lighter, other = pictures + 0.1, pictures + torch.tensor([0.1, 0.0, -0.1]).view(3, 1, 1) * 1.5**0.5  # as far, in RGB
    plain, palette = (
        float(distance(other, pictures, filters) / distance(lighter, pictures, filters))
        for distance in (patch_distance, palette_distance)
    )
    assert plain == pytest.approx(1, abs=0.15)
    assert palette > 2 * plain
    assert palette_distance(pictures, pictures, filters) == 0


def test_sizes_a_generator_cannot_take_are_named() -> None:
    assert size_problems(RealtimeGenerator(), (64, 128)) == []
    (problem,) = size_problems(RealtimeGenerator(), (64, 130))
    assert "RealtimeGenerator needs sides that are multiples of 8, at least 8, got data.size 64x130" in problem
    (problem,) = size_problems(ResNetGenerator(8), (4, 4))
    assert f"at least {ResNetGenerator(8).min_size}" in problem


@pytest.mark.parametrize("temporal", ["warped", "unwarped"])
def test_flicker_of_single_frames_is_0(temporal: str) -> None:
    frames = torch.rand(1, 1, 3, 8, 8)
    none = Clips(frames, torch.zeros(1, 0, 2, 8, 8), torch.ones(1, 0, 1, 8, 8))
    assert CycleGAN(temporal=temporal).flicker(frames, none) == 0
