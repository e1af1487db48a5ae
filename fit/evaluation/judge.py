"""The metrics of one painter, and what the table says about each."""

from typing import Any

from torch import Tensor

from fit.evaluation.card import Estimate
from fit.evaluation.clips import Judged
from fit.evaluation.published import Published
from fit.evaluation.tools import Seen, Tools
from lightning_modules.metrics.base import ClipMetric, interval_of
from lightning_modules.metrics.degenerate import Degenerate
from lightning_modules.metrics.extractor import channels
from lightning_modules.metrics.kernel_distance import KernelDistance, pooled
from lightning_modules.metrics.lpips import LearnedSimilarity
from lightning_modules.metrics.similarity import PSNR, SSIM
from lightning_modules.metrics.style_distance import GramDistance
from lightning_modules.metrics.temporal_flow import TemporalFlow
from lightning_modules.metrics.temporal_lpips import TemporalLPIPS
from lightning_modules.metrics.warping_error import FlickerRatio, WarpingError

GUARDED = 3  # frames of each clip that are looked at for cheats, of which there is no need to be exact


class Judge:
    """Takes a painter's clips one after the other.

    Args:
        tools: shared by all painters of a table.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools, options = tools, {"resamples": tools.resamples}
        self.metrics: dict[str, ClipMetric] = {
            "style": GramDistance(channels(tools.extractor), **options),
            "flicker_ratio": FlickerRatio(**options),
            "temporal_flow": TemporalFlow(**options),
            "ssim": SSIM(**options),
            "cycle_psnr": PSNR(**options),
            "cycle_ssim": SSIM(**options),
        }
        if tools.gap > 1:
            self.metrics["long_flicker_ratio"] = FlickerRatio(gap=tools.gap, **options)
        if tools.exact:
            self.metrics["added_flicker"] = FlickerRatio(**options)
        if tools.lpips:
            self.metrics["temporal_lpips"] = TemporalLPIPS(tools.lpips, **options)
            self.metrics["lpips"] = LearnedSimilarity(tools.lpips, **options)
        self.kernel = KernelDistance(channels(tools.extractor), tools.resamples)
        self.published, self.guards = Published(tools), Degenerate()

    def take_style(self, seen: Seen) -> None:
        """Pictures of the style, as the networks see them."""
        self.metrics["style"].update(seen.deep, real=True)
        self.kernel.update(pooled(seen.deep), real=True)
        self.published.update(seen, real=True)

    def see(self, output: Tensor, clip: Judged, cycled: Tensor | None = None) -> dict[str, float]:
        """Take a clip.

        Args:
            output: ``(1, T, 3, H, W)`` in [-1, 1], the painted content.
            clip: that was painted.
            cycled: the output painted back, if the painter can.

        Returns:
            What the metrics are for this clip alone, where they mean anything.
        """
        content, motion, numbers = clip.content, clip.motion, [clip.number]
        seen = self.tools.see(output[:, output.shape[1] // 2])  # as a picture of the style is one, too
        arguments: dict[str, tuple[Any, ...]] = {
            "style": (seen.deep, False, numbers),
            "flicker_ratio": (output, content, *motion, numbers),
            "long_flicker_ratio": (output, content, *clip.far, numbers),
            "added_flicker": (output, clip.style.frames, *motion, numbers, clip.style.flow, clip.style.visible),
            "temporal_flow": (output, content, numbers),
            "temporal_lpips": (output, content, numbers),
            "ssim": (output, content, numbers),
            "lpips": (output, content, numbers),
        }
        if cycled is not None:
            arguments |= dict.fromkeys(("cycle_psnr", "cycle_ssim"), (cycled, content, numbers))
        self.kernel.update(pooled(seen.deep), False, numbers)
        self.published.update(seen, False, numbers)
        flow, visible = (part[:, : GUARDED - 1] for part in motion)
        self.guards.update(output[:, :GUARDED], content[:, :GUARDED], flow, visible, numbers)
        return {key: alone(self.metrics[key], *given) for key, given in arguments.items() if key in self.metrics}

    def estimates(self) -> dict[str, Estimate]:
        """The metrics over all clips so far, where they mean anything."""
        metrics = self.metrics | {"kernel": self.kernel}
        seen = {key: metric for key, metric in metrics.items() if metric.update_called}
        found = {key: Estimate(float(metric.compute()), *metric.interval()) for key, metric in seen.items()}
        for key in found.keys() & {"flicker_ratio", "long_flicker_ratio"}:
            errors = WarpingError().value(self.metrics[key].sums)  # which begin with these
            found[key.replace("flicker_ratio", "warping_error")] = Estimate(float(errors[0]), *interval_of(errors[1:]))
        return found | self.published.estimates(found["lpips"].value if self.tools.published_lpips else None)


def alone(metric: ClipMetric, *arguments: Any) -> float:
    """Update a metric; what it is for these arguments alone."""
    before = metric.sums[0].clone()
    metric.update(*arguments)
    return float(metric.value(metric.sums[0] - before))
