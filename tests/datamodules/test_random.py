"""Randomness as a function of its four arguments alone."""

from itertools import combinations

import numpy as np

from datamodules.random import rng


def test_depends_on_its_arguments_alone() -> None:
    first = rng(1, "crop", 2, 3).random(50)
    rng(1, "crop", 2, 3).random(7)
    np.random.default_rng().random(3)
    assert np.array_equal(rng(1, "crop", 2, 3).random(50), first)


def test_every_argument_makes_another_stream() -> None:
    names = [(1, "crop", 2, 3), (2, "crop", 2, 3), (1, "flip", 2, 3), (1, "crop", 3, 3), (1, "crop", 2, 4), (1, "crop", 3, 2)]
    numbers = [rng(*name).random(4000) for name in names]
    for a, b in combinations(numbers, 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / 4000**0.5


def test_neighbouring_samples_are_uniform_together() -> None:
    firsts = np.array([rng(0, "crop", epoch, sample).random() for epoch in range(20) for sample in range(50)])
    assert abs(firsts.mean() - 0.5) < 4 * 12**-0.5 / 1000**0.5
    assert np.all(np.histogram(firsts, 10, (0, 1))[0] > 60)
