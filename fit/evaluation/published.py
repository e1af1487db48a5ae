"""FID, KID and ArtFID of one painter, as far as the networks of these names are here."""

from fit.evaluation.card import Estimate
from fit.evaluation.tools import Seen, Tools
from lightning_modules.metrics.frechet import FEATURES, art_fid, frechet_distance
from lightning_modules.metrics.kernel_distance import KernelDistance


class Published:
    """Takes what the networks see in pictures of the style and in painted ones.

    Args:
        tools: shared by all painters of a table.
    """

    def __init__(self, tools: Tools) -> None:
        self.fid, self.art = frechet_distance(), frechet_distance()
        self.kid = KernelDistance([FEATURES], tools.resamples, relative=False)

    def update(self, seen: Seen, real: bool, numbers: list[int] | None = None) -> None:
        """Take pictures, of the style if ``real``; ``numbers`` name the clips of painted ones."""
        if seen.inception is not None:
            self.fid.update(seen.inception, real=real)
            self.kid.update(seen.inception, real, numbers)
        if seen.art is not None:
            self.art.update(seen.art, real=real)

    def estimates(self, lpips: float | None) -> dict[str, Estimate]:
        """Those that can be had.

        Args:
            lpips: to the content, with AlexNet, which ArtFID counts in; None where there is none.
        """
        found = {}
        if self.kid.update_called:
            found["fid"] = Estimate(float(self.fid.compute()))
            found["kid"] = Estimate(float(self.kid.compute()), *self.kid.interval())
        if self.art.update_called and lpips is not None:
            found["art_fid"] = Estimate(art_fid(lpips, float(self.art.compute())))
        return found
