"""Brush-stroke paintings: the palette they claim, strokes to be seen, and the same picture for the same numbers."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.paintings import PALETTES, paint, underpainting
from datamodules.random import rng

SIDE = 160


@pytest.fixture(scope="module")
def night() -> NDArray[np.uint8]:
    return paint(rng(0, "painting"), "night", SIDE)


def blurred(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float64), (0, 0), SIDE / 20))


def off_palette(picture: NDArray[np.uint8], palette: str) -> float:
    """Mean distance of the pixels from the nearest mixture of two neighbouring colours of a palette."""
    colours = np.array(PALETTES[palette], dtype=np.float64)
    mixtures = [a + share * (b - a) for a in colours for b in colours for share in (0, 0.25, 0.5, 0.75)]
    pixels = picture[::4, ::4].reshape(-1, 1, 3).astype(np.float64)
    return float(np.linalg.norm(pixels - np.array(mixtures), axis=-1).min(axis=1).mean())


def test_the_same_numbers_paint_the_same_picture(night: NDArray[np.uint8]) -> None:
    assert night.shape == (SIDE, SIDE, 3)
    assert night.dtype == np.uint8
    assert np.array_equal(paint(rng(0, "painting"), "night", SIDE), night)


@pytest.mark.parametrize("palette", PALETTES)
def test_motifs_keep_to_their_palette_and_differ(palette: str) -> None:
    first, second = (underpainting(rng(seed, "motif"), palette, SIDE) for seed in (1, 2))
    assert np.abs(first.astype(float) - second).mean() > 8
    own = off_palette(first, palette)
    assert own < 25  # of 255; light and shade move colours about
    assert all(off_palette(first, other) > 1.3 * own for other in PALETTES if other != palette)


def test_paint_follows_the_motif_in_colour(night: NDArray[np.uint8]) -> None:
    motif = underpainting(rng(0, "painting"), "night", SIDE)
    assert np.abs(blurred(night) - blurred(motif)).mean() < 10
    own = off_palette(night, "night")
    assert all(off_palette(night, other) > own for other in PALETTES if other != "night")


def detail(picture: NDArray[np.uint8]) -> float:
    """Median over the picture of the standard deviation within 5x5 pixels."""
    values = picture.astype(np.float64)
    mean, square = (cv2.boxFilter(v, -1, (5, 5)) for v in (values, values**2))
    return float(np.median(np.sqrt(np.maximum(square - mean**2, 0))))


def directedness(grey: NDArray[np.float64]) -> float:
    """Mean coherence of the structure tensor over 9x9 pixels: 0 without a direction, 1 for straight lines."""
    gy, gx = np.gradient(grey)
    energy, real, imaginary = (cv2.boxFilter(v, -1, (9, 9)) for v in (gx**2 + gy**2, gx**2 - gy**2, 2 * gx * gy))
    return float((np.hypot(real, imaginary) / (energy + 1e-9)).mean())


def test_strokes_are_seen_and_have_a_direction(night: NDArray[np.uint8]) -> None:
    assert detail(night) > 3 * detail(underpainting(rng(0, "painting"), "night", SIDE))
    grey = cv2.cvtColor(night, cv2.COLOR_RGB2GRAY).astype(np.float64)
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(size=grey.shape), (0, 0), 1.0)
    assert directedness(grey) > 1.5 * directedness(grain)
