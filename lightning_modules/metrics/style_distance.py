"""How far pictures are from a style: the Gram distance between two sets, on features of any extractor."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

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
