import pytest
import torch
from torch import Tensor

from lightning_modules.losses.random_gram import random_gram_distance, random_layers


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, seed: int = 0, side: int = 48) -> Tensor:
    return torch.rand(count, 3, side, side, generator=generator(seed)) * 2 - 1


LAYERS = random_layers(generator())


def test_it_is_the_relative_distance_of_mean_gram_matrices() -> None:
    fake, real = pictures(2).double(), pictures(3, 1).double()
    expected = []
    x, y = fake, real
    for edges, mixed in LAYERS:
        grams = []
        for batch in (x, y):
            total = torch.zeros(48, 48, dtype=torch.float64)
            for picture in batch:
                kernel = torch.relu(torch.conv2d(picture[None], edges.double()))
                values = torch.relu(torch.conv2d(kernel, mixed.double()))[0].reshape(48, -1)
                for place in values.T:
                    total += torch.outer(place, place) / values.shape[1] / len(batch)
            grams.append(total)
        expected.append((grams[0] - grams[1]).norm() / grams[1].norm())
        x, y = (torch.nn.functional.avg_pool2d(batch, 2) for batch in (x, y))
    found = random_gram_distance(fake, real, LAYERS)
    assert found.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-3)


def test_the_same_pictures_are_at_distance_0_wherever_and_however_often_they_come() -> None:
    fake = pictures(3)
    assert random_gram_distance(fake, fake[[2, 0, 1]].repeat(2, 1, 1, 1), LAYERS) < 1e-3
    assert random_gram_distance(fake, pictures(3, 1), LAYERS) > random_gram_distance(fake, fake, LAYERS)


def test_it_notices_a_single_picture_that_is_far_too_strong() -> None:
    real = 0.3 * pictures(8)
    strong = torch.cat([real[:7], 3 * real[7:]])
    assert random_gram_distance(strong, real, LAYERS) > 0.5


def test_half_of_the_first_filters_see_no_plain_colour() -> None:
    flat = torch.rand(1, 3, 1, 1, generator=generator(3)).expand(1, 3, 8, 8)
    for edges, _ in LAYERS:
        seen = torch.conv2d(flat, edges).abs().amax((0, 2, 3))
        assert seen[::2].max() < 1e-5
        assert seen[1::2].median() > 0.05


def test_gradients_lead_there_and_are_finite_at_the_goal() -> None:
    fake, real = (0.2 * pictures(2)).requires_grad_(), pictures(2, 1).requires_grad_()
    before = random_gram_distance(fake, real, LAYERS)
    before.backward()
    assert real.grad is None
    assert random_gram_distance(fake - 20 * fake.grad, real, LAYERS) < before  # type: ignore[operator]
    same = pictures(2).requires_grad_()
    random_gram_distance(same, same.detach(), LAYERS).backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()
    flat = torch.zeros(1, 3, 48, 48)
    assert random_gram_distance(flat, flat, LAYERS).isfinite()


def test_the_same_draws_give_the_same_layers() -> None:
    for (a, b), (c, d) in zip(LAYERS, random_layers(generator()), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    assert not torch.equal(LAYERS[0][0], random_layers(generator(1))[0][0])


def test_pictures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 20, got \(1, 3, 19, 19\)"):
        random_gram_distance(pictures(1, side=19), pictures(1, side=19), LAYERS)
    with pytest.raises(ValueError, match="of one size"):
        random_gram_distance(pictures(1), pictures(1, side=32), LAYERS)
    random_gram_distance(pictures(1, side=20), pictures(1, side=20), LAYERS)
