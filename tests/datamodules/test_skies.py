import numpy as np

from datamodules.random import rng
from datamodules.skies import sky


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
