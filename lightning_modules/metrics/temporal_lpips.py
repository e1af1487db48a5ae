"""Whether the output changes in time as much as the reference does: tLP of TecoGAN (Chu et al. 2020)."""

import torch
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.metrics.lpips import LPIPS
from lightning_modules.metrics.temporal_flow import check_clips, judged_part


def consecutive_distances(clips: Tensor, lpips: LPIPS) -> Tensor:
    """LPIPS of every frame to the one before; each frame goes through the network once.

    Args:
        clips: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2.
        lpips: the network that looks, one frame of each clip at a time.

    Returns:
        ``(B, T - 1)`` >= 0, float64.
    """
    distances = []
    before = lpips.features(clips[:, 0])
    for frames in clips[:, 1:].unbind(1):
        after = lpips.features(frames)
        distances.append(lpips.distance(before, after).double())
        before = after
    return torch.stack(distances, dim=1)


def temporal_lpips_errors(output: Tensor, reference: Tensor, lpips: LPIPS) -> Tensor:
    """The tLP of each clip: how much more, or less, the output's frames differ from each other than the reference's do.

    Frames are dropped and cut as for tOF (``judged_part``).

    Args:
        output: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2.
        reference: the same shape; in the unpaired case the content.
        lpips: the network that looks.

    Returns:
        ``(B,)`` >= 0, float64: the mean over pairs of 100 |LPIPS(I[t], I[t + 1]) - LPIPS(O[t], O[t + 1])|.

    Raises:
        ValueError: single frames, shapes that differ, or too small frames.
    """
    check_clips("temporal_lpips", output, reference)
    times, rows, columns = judged_part(output)
    ours, theirs = (consecutive_distances(clips[:, times, :, rows, columns], lpips) for clips in (output, reference))
    return 100 * (theirs - ours).abs().mean(1)


class TemporalLPIPS(ClipMetric):
    """tLP = mean over clips and pairs of 100 |LPIPS(I[t], I[t + 1]) - LPIPS(O[t], O[t + 1])|, >= 0; lower is better.

    0 for the reference I itself; flicker raises it, and so does freezing. Chu et al. 2020 (TecoGAN), who look with AlexNet;
    ``label`` says who looks here.

    Args:
        lpips: the network that looks.
        resamples: of the bootstrap.
        seed: of the resamples.
    """

    higher_is_better = False

    def __init__(self, lpips: LPIPS, resamples: int = 0, seed: int = 0) -> None:
        super().__init__(2, resamples, seed)
        self.lpips, self.label = lpips, f"tLP with {lpips.label}"

    def update(self, output: Tensor, reference: Tensor, numbers: list[int] | None = None) -> None:
        """Take clips, as ``temporal_lpips_errors`` does."""
        errors = temporal_lpips_errors(output, reference, self.lpips)
        self.add(torch.stack([errors, torch.ones_like(errors)], dim=1), numbers)

    def value(self, sums: Tensor) -> Tensor:
        return sums[..., 0] / sums[..., 1]
