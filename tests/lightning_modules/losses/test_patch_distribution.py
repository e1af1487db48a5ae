"""The distance of patch distributions, against sorting by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.losses.patch_distribution import colour_blind, patch_distance, random_filters


def pictures(seed: int, count: int = 3, side: int = 28) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def filters() -> Tensor:
    return random_filters(5, 7, torch.Generator().manual_seed(9))


def projected(pictures: np.ndarray, direction: np.ndarray, stride: int) -> np.ndarray:
    """The projections of all patches, sorted."""
    side = direction.shape[-1]
    places = range(0, pictures.shape[-1] - side + 1, stride)
    patches = [picture[:, y : y + side, x : x + side] for picture in pictures for y in places for x in places]
    return np.sort([(patch * direction).sum() for patch in patches])


def by_hand(fake: Tensor, real: Tensor, filters: Tensor, relative: bool, scales: int, stride: int) -> float:
    """Cut out the patches, project, sort, compare: in float64."""
    sets, terms = [fake.double().numpy(), real.double().numpy()], []
    for scale in range(scales):
        if scale:
            sets = [(s[..., ::2, ::2] + s[..., 1::2, ::2] + s[..., ::2, 1::2] + s[..., 1::2, 1::2]) / 4 for s in sets]
        for direction in filters.double().numpy():
            a, b = (projected(s, direction, stride) for s in sets)
            terms.append(np.abs(a - b).mean() / (max(b.std(), 0.01) if relative else 1))
    return float(np.mean(terms))


@pytest.mark.parametrize(("relative", "scales", "stride"), [(False, 1, 1), (False, 3, 2), (True, 3, 2)])
def test_equals_sorting_by_hand(filters: Tensor, relative: bool, scales: int, stride: int) -> None:
    fake, real = pictures(1, 2), pictures(2, 2) * 0.5 + 0.2
    found = patch_distance(fake, real, filters, relative, scales, stride).item()
    assert found == pytest.approx(by_hand(fake, real, filters, relative, scales, stride), rel=1e-4)


def test_zero_for_the_same_patches_in_any_order(filters: Tensor) -> None:
    fake = pictures(1)
    assert patch_distance(fake, fake, filters) == 0
    assert patch_distance(fake, fake[[2, 0, 1]], filters) < 1e-6
    assert patch_distance(fake, pictures(2), filters) > 0.001


def test_the_real_set_may_be_larger(filters: Tensor) -> None:
    fake, real = pictures(1, 2), pictures(2, 2)
    torch.testing.assert_close(
        patch_distance(fake, torch.cat([real, real, real]), filters), patch_distance(fake, real, filters)
    )
    assert patch_distance(fake, torch.cat([fake, fake]), filters) < 1e-6
    # Of three times as many values the middle one of each three is taken, so that light and dark are treated alike.
    few, many = pictures(1, 1), pictures(2, 3) ** 3
    torch.testing.assert_close(patch_distance(-few, -many, filters), patch_distance(few, many, filters))


def test_where_patches_lie_does_not_matter(filters: Tensor) -> None:
    # Tiles far enough apart, exchanged within the picture; all patches within a tile stay what they are.
    tile, other = pictures(1, 1, 8), pictures(2, 1, 8)
    fake, real = (torch.cat([a, b], dim=-1) for a, b in ((tile, other), (other, tile)))
    assert patch_distance(fake, real, filters[..., :1, :1], scales=1, stride=1) < 1e-6


def test_grows_with_the_distance_of_the_colours(filters: Tensor) -> None:
    real = 0.3 * pictures(1)
    distances = [patch_distance(real + shift, real, filters).item() for shift in (0.05, 0.1, 0.2)]
    assert distances[1] == pytest.approx(2 * distances[0], rel=1e-3)
    assert distances[2] == pytest.approx(4 * distances[0], rel=1e-3)


def test_sees_texture_not_only_colour() -> None:
    real = 0.5 * pictures(1, 8)
    smooth = torch.nn.functional.avg_pool2d(real, 3, 1, 1)
    filters = random_filters(32, 7, torch.Generator().manual_seed(0))
    assert patch_distance(smooth, real, filters) > 2 * patch_distance(0.5 * pictures(3, 8), real, filters)


def test_relative_distances_count_contrast_alike(filters: Tensor) -> None:
    fake, real = pictures(1), 0.8 * pictures(2)
    relative = patch_distance(fake, real, filters, relative=True, scales=1)
    torch.testing.assert_close(patch_distance(0.3 * fake, 0.3 * real, filters, relative=True, scales=1), relative)
    flat = torch.zeros_like(real)
    assert patch_distance(0.01 * fake, flat, filters, relative=True).isfinite()


def test_colour_blind_directions_see_no_colour(filters: Tensor) -> None:
    real, colours = 0.3 * pictures(1), torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    blind = colour_blind(filters)
    assert patch_distance(real + colours, real, blind) < 1e-6
    assert patch_distance(real + colours, real, filters) > 0.01
    assert patch_distance(0.5 * real, real, blind) > 0.01
    torch.testing.assert_close(colour_blind(blind), blind)


def test_gradient_flows_to_the_fake_pictures(filters: Tensor) -> None:
    fake, real = pictures(1).requires_grad_(), pictures(2)
    patch_distance(fake, real, filters).backward()
    assert fake.grad is not None
    before = patch_distance(fake, real, filters)
    assert patch_distance(fake - 50 * fake.grad, real, filters) < before


@pytest.mark.parametrize("relative", [False, True])
def test_autocast_does_not_round_it(filters: Tensor, relative: bool) -> None:
    fake, real = pictures(1), pictures(2)
    fake.requires_grad_()
    full = patch_distance(fake, real, filters, relative)
    with torch.autocast("cpu", torch.bfloat16):
        value = patch_distance(fake, real, filters, relative)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, full, atol=1e-5, rtol=1e-5)
    for one, other in zip(torch.autograd.grad(value, fake), torch.autograd.grad(full, fake), strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-4)


def test_filters_are_directions() -> None:
    filters = random_filters(200, 7, torch.Generator().manual_seed(1))
    torch.testing.assert_close(filters.flatten(1).norm(dim=1), torch.ones(200))
    assert torch.equal(filters, random_filters(200, 7, torch.Generator().manual_seed(1)))
    overlap = filters.flatten(1) @ filters.flatten(1).T - torch.eye(200)
    assert overlap.abs().max() < 0.5


def test_refusals(filters: Tensor) -> None:
    with pytest.raises(ValueError, match=r"sides at least 28, got .*27, 27.*use fewer scales or larger pictures"):
        patch_distance(pictures(1, side=27), pictures(2, side=27), filters)
    with pytest.raises(ValueError, match="of one size"):
        patch_distance(pictures(1), pictures(2, side=32), filters)
