"""How much of one video is kept in another, picture by picture: SSIM and PSNR.

Neither measures stylisation. Against the input SSIM says how much structure is kept, against its way through the cycle both say
how much the cycle loses.
"""

from abc import abstractmethod
from math import exp

import torch
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.ops.statistics import full_precision

WINDOW, SIGMA = 11, 1.5  # of the published window
_GAUSS = [exp(-0.5 * ((i - WINDOW // 2) / SIGMA) ** 2) for i in range(WINDOW)]
WEIGHTS = [weight / sum(_GAUSS) for weight in _GAUSS]
C1, C2 = 0.01**2, 0.03**2  # for values in [0, 1]
LEAST_ERROR = 1e-10  # of values in [0, 1], hence 100 dB: identical pictures need some number in a mean


class MeanOverPictures(ClipMetric):
    """The mean over all pictures of a number that each picture has beside another; subclasses implement ``measure``.

    Args:
        resamples, seed: as in ``ClipMetric``.
    """

    def __init__(self, resamples: int = 0, seed: int = 0) -> None:
        super().__init__(2, resamples, seed)

    @abstractmethod
    def measure(self, output: Tensor, content: Tensor) -> Tensor:
        """The number of one picture ``(3, H, W)``, a scalar."""

    def update(self, output: Tensor, content: Tensor, numbers: list[int] | None = None) -> None:
        """Take clips.

        Args:
            output: ``(B, T, 3, H, W)`` in [-1, 1].
            content: the same shape, with what each picture is compared.
            numbers: of the clips, as ``ClipMetric.add`` takes them.

        Raises:
            ValueError: the shapes differ, or are none of clips.
        """
        if output.dim() != 5 or output.shape != content.shape:
            raise ValueError(
                f"{type(self).__name__}: expected two batches of clips (B, T, 3, H, W) of one shape, got "
                f"{tuple(output.shape)} and {tuple(content.shape)}; compare a clip with its own repainting"
            )
        # One picture at a time stays in the processor's cache, which halves the time.
        pairs = zip(full_precision(output).flatten(0, 1), full_precision(content).flatten(0, 1), strict=True)
        values = torch.stack([self.measure(*pair) for pair in pairs]).view(output.shape[:2])
        self.add(torch.stack([values.sum(1), torch.full_like(values[:, 0], output.shape[1])], dim=1), numbers)

    def value(self, sums: Tensor) -> Tensor:
        """NaN without pictures."""
        return sums[..., 0] / sums[..., 1]


class SSIM(MeanOverPictures):
    """Structural similarity to the content: mean over places and colours of each picture, then over pictures.

    Formula: (2 mx my + c1) (2 sxy + c2) / ((mx^2 + my^2 + c1) (sxx + syy + c2)), for values in [0, 1], with means m and
    (co)variances s under a Gaussian window of 11x11 and sigma 1.5, c1 = 0.01^2, c2 = 0.03^2. Only windows that lie inside the
    picture count, as in the published script.
    Range: [-1, 1]; 1 for identical pictures. Direction: higher is nearer to the content, which a repainting is not meant to
    be wholly: neither.
    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", equation 13.
    """

    def measure(self, output: Tensor, content: Tensor) -> Tensor:
        return ssim_map(output, content).mean()


class PSNR(MeanOverPictures):
    """Peak signal-to-noise ratio in dB of each picture, mean over pictures.

    Formula: -10 log10(mean squared error), for values in [0, 1].
    Range: >= 0 dB, at most 100, which stands for identical pictures. Direction: higher is nearer.
    Source: the usual definition; as a mean over pictures, not of all their errors.
    """

    def measure(self, output: Tensor, content: Tensor) -> Tensor:
        error = ((output - content) / 2).square().mean()
        return -10 * error.clamp(min=LEAST_ERROR).log10()


def ssim_map(output: Tensor, content: Tensor) -> Tensor:
    """SSIM of every window, equation 13 of Wang et al. 2004.

    Args:
        output: ``(..., H, W)`` in [-1, 1], both sides at least 11.
        content: the same shape.

    Returns:
        ``(..., H - 10, W - 10)`` in [-1, 1].

    Raises:
        ValueError: pictures smaller than the window.
    """
    if min(output.shape[-2:]) < WINDOW:
        raise ValueError(f"ssim: expected pictures with sides of at least {WINDOW}, got {tuple(output.shape)}")
    x, y = output / 2, content / 2  # around 0, where variances lose fewer digits
    mx, my = _windowed(x), _windowed(y)
    variances = _windowed(x.square() + y.square()) - mx.square() - my.square()
    covariance = _windowed(x * y) - mx * my
    mx, my = mx + 0.5, my + 0.5
    light = (2 * mx * my + C1) / (mx.square() + my.square() + C1)
    return light * (2 * covariance + C2) / (variances + C2)


def _windowed(values: Tensor) -> Tensor:
    """Gaussian means of all windows that lie inside, as shifted sums: a convolution of one channel takes many times as long."""
    for axis in (-1, -2):
        length = values.shape[axis] - WINDOW + 1
        means = WEIGHTS[0] * values.narrow(axis, 0, length)
        for i, weight in enumerate(WEIGHTS[1:], 1):
            means.add_(values.narrow(axis, i, length), alpha=weight)
        values = means
    return values
