"""How far pictures are from a style: the Gram distance between two sets, on features of any extractor."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.ops.statistics import gram


def mean_grams(batches: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """The mean Gram matrix of every layer over all pictures of all batches.

    Only one batch is held at a time: ``mean_grams(extractor(batch) for batch in batches)``.

    Args:
        batches: the features of each, one ``(N, C, h, w)`` for each layer; N, h and w may differ from batch to batch.

    Returns:
        One ``(C, C)`` for each layer.

    Raises:
        ValueError: no pictures.
    """
    totals: list[Tensor] = []
    count = 0
    for features in batches:
        sums = [gram(layer.detach()).sum(0) for layer in features]
        totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
        count += len(features[0])
    if not count:
        raise ValueError("mean_grams: expected the features of at least one picture, got none; check where pictures come from")
    return [total / count for total in totals]


def gram_distance(pictures: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
    """Distance of the mean Gram matrices of pictures from those of a style, relative to the latter's size.

    The Gram matrices are averaged over the pictures first: one picture need not show everything the style has.

    Args:
        pictures: ``mean_grams`` of the pictures judged, one ``(C, C)`` for each layer.
        style: the same of the style's pictures.

    Returns:
        A scalar >= 0: the mean over layers of |mean_i Gram_i - Gram_s|^2 / |Gram_s|^2 (Frobenius norms).

    Raises:
        ValueError: the layers do not correspond.
    """
    shapes = [tuple(layer.shape) for layer in pictures], [tuple(layer.shape) for layer in style]
    if not pictures or shapes[0] != shapes[1]:
        raise ValueError(
            f"gram_distance: expected Gram matrices of the same layers, got {shapes[0]} and {shapes[1]}; use one network"
        )
    terms = [(a - b).square().sum() / b.square().sum() for a, b in zip(pictures, style, strict=True)]
    return torch.stack(terms).mean()


class GramDistance(ClipMetric):
    """Style distance: the Gram distance of all pictures judged to the style's pictures.

    Formula: mean over layers of |mean_i Gram_i - Gram_s|^2 / |Gram_s|^2 (Frobenius norms; Gram = F F^T / (HW); i over the
    pictures judged, Gram_s the mean over those of the style).
    Range: >= 0; 0 for the style itself, 1 for no features at all. Direction: lower is better, in one style and with one
    extractor only; name the extractor beside it.
    Source: Gatys et al. 2016, "Image style transfer using convolutional neural networks", equations 3 to 5; relative to the
    style, so that layers count alike, and of sets, because one picture need not show everything the style has.

    Only pictures judged are resampled for the interval: the style is given. Of each Gram matrix one triangle is kept: 200
    resamples of VGG-19 to relu3_1 hold 70 MB.

    Args:
        channels: of the extractor's layers.
        resamples, seed: as in ``ClipMetric``.
    """

    style: Tensor

    def __init__(self, channels: Sequence[int], resamples: int = 0, seed: int = 0) -> None:
        super().__init__(sum(_triangle(c) for c in channels) + 1, resamples, seed)
        self.channels = list(channels)
        self.add_state("style", torch.zeros(self.sums.shape[1], dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, features: Sequence[Tensor], real: bool, numbers: list[int] | None = None) -> None:
        """Take pictures.

        Args:
            features: of the extractor, one ``(N, C, h, w)`` for each layer.
            real: whether they are of the style, else of the pictures judged.
            numbers: N numbers of the clips that the pictures judged are of, as ``ClipMetric.add`` takes them.

        Raises:
            ValueError: layers that the metric was not made for.
        """
        found = [layer.shape[1] for layer in features]
        if found != self.channels:
            raise ValueError(
                f"GramDistance: expected layers of {self.channels} channels, got {found}; use one extractor throughout"
            )
        triangles = [_upper(gram(layer.detach())) for layer in features]
        rows = torch.cat([*triangles, triangles[0].new_ones(len(triangles[0]), 1)], dim=1)
        if real:
            self.style += rows.to(self.style).sum(0)
        else:
            self.add(rows, numbers)

    def value(self, sums: Tensor) -> Tensor:
        """NaN without pictures judged, or without any of the style."""
        sizes = [_triangle(c) for c in self.channels]
        ours, style = (torch.split(grams[..., :-1], sizes, dim=-1) for grams in (sums, self.style))
        pairs = zip(ours, style, self.channels, strict=True)
        return torch.stack([_apart(a / sums[..., -1:], b / self.style[-1], c) for a, b, c in pairs]).mean(0)


def _triangle(channels: int) -> int:
    return channels * (channels + 1) // 2


def _upper(grams: Tensor) -> Tensor:
    """``(N, C, C)``, symmetric, to ``(N, C (C + 1) / 2)``: one triangle row by row, with the diagonal."""
    row, column = torch.triu_indices(grams.shape[-1], grams.shape[-1], device=grams.device)
    return grams[:, row, column]


def _apart(ours: Tensor, style: Tensor, channels: int) -> Tensor:
    """|ours - style|^2 / |style|^2 of triangles ``(..., C (C + 1) / 2)``; what is off the diagonal counts twice."""
    row, column = torch.triu_indices(channels, channels, device=style.device)
    weight = 2 - (row == column).to(style)
    return ((ours - style).square_() @ weight) / (style.square() @ weight)
