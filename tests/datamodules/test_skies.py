import numpy as np

from datamodules.random import rng
from datamodules.skies import sky, under_a_sky


def skies(count: int = 40) -> list[np.ndarray]:
    return [sky(rng(0, "sky", 0, i), (96, 128)) for i in range(count)]


def test_a_sky_is_smooth() -> None:
    for picture in skies():
        assert picture.shape == (96, 128, 3)
        assert picture.dtype == np.uint8
        for axis in (0, 1):
            assert np.abs(np.diff(picture.astype(int), axis=axis)).max() <= 24


def test_skies_differ_and_are_of_every_brightness() -> None:
    means = np.array([picture.mean() for picture in skies()])
    assert means.min() < 70
    assert means.max() > 185
    assert len(np.unique(means)) == len(means)


def test_the_same_draws_give_the_same_sky() -> None:
    assert np.array_equal(skies(1)[0], skies(1)[0])


def test_under_a_sky_the_lower_part_stays_and_the_upper_is_a_smooth_sky() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    for i in range(20):
        outdoors = under_a_sky(rng(0, "horizon", 0, i), picture)
        kept = (outdoors == picture).all(-1)
        assert kept[-8:].all()  # nowhere lower than 0.75 and 0.12 of the height
        line = (~kept).sum(0)
        assert 8 < np.median(line) < 72
        top = outdoors[: line.min() - 1]
        assert np.abs(np.diff(top.astype(int), axis=1)).max() <= 24


def test_the_same_draws_give_the_same_skyline() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    one, same, other = (under_a_sky(rng(0, "horizon", 0, i), picture) for i in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
