"""The Gram distance of random features, against sums by hand."""

import pytest
import torch
from torch import Tensor

from lightning_modules.losses.patch_distribution import OPPONENTS, vivid
from lightning_modules.losses.random_gram import random_gram_distance, random_grams, random_layers


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, seed: int = 0, side: int = 48) -> Tensor:
    return torch.rand(count, 3, side, side, generator=generator(seed)) * 2 - 1


LAYERS = random_layers(generator())


def distance(fake: Tensor, real: Tensor) -> Tensor:
    return random_gram_distance(random_grams(fake, LAYERS), random_grams(real, LAYERS))


def test_grams_are_sums_over_places_for_each_picture_octave_and_network() -> None:
    batch = pictures(2, side=24).double()
    found, expected, x = random_grams(batch, LAYERS), [], batch
    for octave in LAYERS:
        for edges, mixed in octave:
            kernel = torch.relu(torch.conv2d(x, edges.double()))
            values = torch.relu(torch.conv2d(kernel, mixed.double())).flatten(2)
            expected.append(torch.stack([sum(torch.outer(v, v) for v in one.T) / one.shape[1] for one in values]))  # type: ignore[misc]
        x = torch.nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(found, torch.stack(expected, 1))


def test_the_distance_is_that_of_mean_grams_relative_to_the_real() -> None:
    fake, real = torch.rand(2, 3, 4, 4, generator=generator()), torch.rand(5, 3, 4, 4, generator=generator(1))
    expected = [(fake[:, i].mean(0) - real[:, i].mean(0)).norm() / real[:, i].mean(0).norm() for i in range(3)]
    assert random_gram_distance(fake, real).item() == pytest.approx(float(sum(expected)) / 3, rel=1e-4)


def test_the_same_pictures_are_at_distance_0_wherever_and_however_often_they_come() -> None:
    fake = pictures(3)
    assert distance(fake, fake[[2, 0, 1]].repeat(2, 1, 1, 1)) < 1e-3
    assert distance(fake, pictures(3, 1)) > distance(fake, fake)


def test_it_notices_a_single_picture_that_is_far_too_strong() -> None:
    real = 0.3 * pictures(8)
    strong = torch.cat([real[:7], 3 * real[7:]])
    assert distance(strong, real) > 0.5


def test_the_second_network_of_each_octave_sees_no_plain_colour_and_the_first_does() -> None:
    flat = torch.tensor([0.7, -0.5, -0.2]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    for octave in LAYERS:
        seen = [torch.conv2d(flat, edges).abs().amax((0, 2, 3)) for edges, _ in octave]
        assert seen[0].median() > 0.05
        assert seen[1].max() < 1e-5


@pytest.mark.parametrize(("colour", "counts"), list(zip([(1, 1, 1), (1, 1, -2), (1, -1, 0)], OPPONENTS, strict=True)))
def test_vivid_counts_light_and_differences_between_colours(colour: tuple[float, ...], counts: float) -> None:
    filters = torch.randn(4, 3, 3, 3, generator=generator())
    grey = torch.rand(1, 1, 8, 8, generator=generator(1))
    coloured = grey * torch.tensor(colour).view(1, 3, 1, 1)
    torch.testing.assert_close(torch.conv2d(coloured, vivid(filters)), counts * torch.conv2d(coloured, filters))


def test_vivid_counts_red_against_green_most_and_light_as_it_is() -> None:
    light, yellow, red = OPPONENTS
    assert light == 1 < yellow < red


def test_gradients_lead_there_and_are_finite_at_the_goal() -> None:
    fake, real = (0.2 * pictures(2)).requires_grad_(), pictures(2, 1).requires_grad_()
    before = distance(fake, real)
    before.backward()
    assert real.grad is None
    assert distance(fake - 20 * fake.grad, real) < before  # type: ignore[operator]
    same = pictures(2).requires_grad_()
    distance(same, same.detach()).backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()
    flat = torch.zeros(1, 3, 48, 48)
    assert distance(flat, flat).isfinite()


def test_the_same_draws_give_the_same_layers() -> None:
    for octave, again in zip(LAYERS, random_layers(generator()), strict=True):
        for (a, b), (c, d) in zip(octave, again, strict=True):
            assert torch.equal(a, c)
            assert torch.equal(b, d)
    assert not torch.equal(LAYERS[0][0][0], random_layers(generator(1))[0][0][0])


def test_pictures_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 20, got \(1, 3, 19, 19\)"):
        random_grams(pictures(1, side=19), LAYERS)
    random_grams(pictures(1, side=20), LAYERS)
