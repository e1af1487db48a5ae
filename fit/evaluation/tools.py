"""What all metrics of a table work with, opened once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lightning_modules.losses.perceptual import FeatureExtractor
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.frechet import ArtInception, Inception
from lightning_modules.metrics.lpips import LPIPS

RESAMPLES = 200


class Seen(NamedTuple):
    """What networks see in pictures: deep features of each layer, and those of FID and of ArtFID where these are here."""

    deep: Sequence[Tensor]
    inception: Tensor | None
    art: Tensor | None


@dataclass(frozen=True)
class Tools:
    """What the metrics work with.

    Args:
        extractor: of deep features.
        lpips: of perceptual distances; None leaves out what needs them.
        inception: of FID and KID; None leaves them out.
        art: of ArtFID; None leaves it out.
        gap: frames between those compared over the longer time; 1 leaves that out.
        exact: whether the motion of content and style is known and the same.
        resamples: of the intervals.
    """

    extractor: RandomFeatures | FeatureExtractor
    lpips: LPIPS | None = None
    inception: Inception | None = None
    art: ArtInception | None = None
    gap: int = 5
    exact: bool = True
    resamples: int = RESAMPLES

    @property
    def published_lpips(self) -> bool:
        """Whether LPIPS is the one that ArtFID is defined with."""
        return self.lpips is not None and self.lpips.label == "LPIPS (alex)"

    def see(self, pictures: Tensor) -> Seen:
        """Look at pictures ``(N, 3, H, W)`` in [-1, 1] once for all metrics."""
        inception = None if self.inception is None else self.inception(pictures)
        art = None if self.art is None else self.art(pictures)
        return Seen(self.extractor(pictures), inception, art)
