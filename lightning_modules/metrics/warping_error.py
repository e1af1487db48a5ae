"""How much clips flicker along known motion: the warping error, and its ratio to that of the input.

The warping error alone rewards grey, blurred or frozen output, and even the input's own is not 0 (resampling, sensor noise).
The ratio sets both against the contrast of what is shown.
"""

import torch
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.warp import warp

_LEAST_CONTRAST = 0.5 / 127.5  # half a grey level of 8 bits on [-1, 1]: less is a constant picture


def pair_warping_errors(frames: Tensor, flow: Tensor, visible: Tensor, gap: int = 1) -> Tensor:
    """The warping error of each pair of frames, for plots over time.

    Args:
        frames: ``(B, T, 3, H, W)`` in [-1, 1], T > gap.
        flow: ``(B, T - gap, 2, H, W)`` of the content, backward over ``gap`` frames, in pixels.
        visible: ``(B, T - gap, 1, H, W)`` in {0, 1}, any type.
        gap: frames from the first to the second of a pair.

    Returns:
        ``(B, T - gap)`` in [0, 1], float64: the mean of (warp(O[t], flow[t]) - O[t + gap])^2 over visible values, for values
        in [0, 1]. NaN where nothing is visible.

    Raises:
        ValueError: too few frames, or sizes that do not agree.
    """
    _check(frames, flow, gap)
    pairs = zip(frames[:, :-gap].unbind(1), frames[:, gap:].unbind(1), flow.unbind(1), visible.unbind(1), strict=True)
    # One at a time: quicker than all at once, whose values do not fit into a cache, and clips may be long.
    return torch.stack([_pair_error(*pair) for pair in pairs], dim=1)


def clip_warping_errors(frames: Tensor, flow: Tensor, visible: Tensor, gap: int = 1) -> Tensor:
    """The warping error of each clip: the mean over its pairs, those with nothing visible left out.

    Args:
        frames: as of ``pair_warping_errors``.
        flow: the same.
        visible: the same.
        gap: the same.

    Returns:
        ``(B,)`` in [0, 1], float64; NaN for clips in which nothing is visible.

    Raises:
        ValueError: too few frames, or sizes that do not agree.
    """
    pairs, seen = pair_warping_errors(frames, flow, visible, gap), _seen(visible)
    return torch.where(seen, pairs, 0).sum(1) / seen.sum(1)  # nanmean would hide frames that are not finite


def warping_error(frames: Tensor, flow: Tensor, visible: Tensor, gap: int = 1) -> Tensor:
    """E_warp of Lai et al. 2018 ("Learning blind video temporal consistency"): mean over pairs, then over clips.

    Args:
        frames: ``(B, T, 3, H, W)`` in [-1, 1], T > gap.
        flow: ``(B, T - gap, 2, H, W)`` of the content, backward over ``gap`` frames, in pixels.
        visible: ``(B, T - gap, 1, H, W)`` in {0, 1}, any type. Pairs with nothing visible are left out, and so are clips of
            such pairs only (the published script counts them as free of error).
        gap: frames from the first to the second of a pair.

    Returns:
        A scalar in [0, 1]: the mean of (warp(O[t], flow[t]) - O[t + gap])^2 over visible values, for values in [0, 1]. NaN
        where nothing at all is visible.

    Raises:
        ValueError: single frames, or sizes that do not agree.
    """
    sums = _error_sums(frames, flow, visible, gap).sum(0)
    return (sums[0] / sums[1]).to(full_precision(frames).dtype)


def flicker_ratio(output: Tensor, content: Tensor, flow: Tensor, visible: Tensor, gap: int = 1) -> Tensor:
    """R = [E_warp(output) / Var(output)] / [E_warp(content) / Var(content)]: 1 for the content itself.

    Unchanged by scaling or shifting the values of either, so that it cannot be lowered by paling.

    Args:
        output: ``(B, T, 3, H, W)`` in [-1, 1], T > gap: the content as a network repainted it.
        content: the same shape.
        flow: ``(B, T - gap, 2, H, W)`` of the content, backward over ``gap`` frames, in pixels.
        visible: ``(B, T - gap, 1, H, W)`` in {0, 1}.
        gap: frames from the first to the second of a pair.

    Returns:
        A scalar >= 0, the variance being over all values of all clips. NaN for an output (or content) that is constant to half
        a grey level: nothing in it could flicker, and its ratio would be that of rounding errors.

    Raises:
        ValueError: sizes that do not agree.
    """
    _check_same(output, content)
    both = [_relative_sums(frames, flow, visible, gap) for frames in (output, content)]
    return _ratio(torch.cat(both, dim=1).sum(0)).to(full_precision(output).dtype)


class WarpingError(ClipMetric):
    """E_warp = mean over clips and pairs of |warp(O[t], flow[t]) - O[t + gap]|^2 where visible, per value, in [0, 1].

    Lower is calmer, but a grey, blurred or frozen output is calmest: never without the flicker ratio beside it. Lai et al.
    2018, "Learning blind video temporal consistency"; a gap of 1 is their short-term error, larger gaps (5 or 10 in papers)
    the long-term one.

    Args:
        gap: frames from the first to the second of a pair, >= 1.
        resamples: of the bootstrap.
        seed: of the resamples.
    """

    higher_is_better = False

    def __init__(self, gap: int = 1, resamples: int = 0, seed: int = 0) -> None:
        super().__init__(2, resamples, seed)
        self.gap = gap

    def update(self, frames: Tensor, flow: Tensor, visible: Tensor, numbers: list[int] | None = None) -> None:
        """Take clips, as ``warping_error`` does; flow is over ``gap`` frames."""
        self.add(_error_sums(frames, flow, visible, self.gap), numbers)

    def value(self, sums: Tensor) -> Tensor:
        """Also of the sums of a ``FlickerRatio``, which begin with those of its output."""
        return sums[..., 0] / sums[..., 1]


class FlickerRatio(ClipMetric):
    """[E_warp(output) / Var(output)] / [E_warp(reference) / Var(reference)], >= 0; lower is calmer.

    With the content as reference it is R: 1 for the content itself. With pictures of the style in motion as reference, and
    their own flow, it is the added flicker A = R(output) / R(style): 1 if the result flickers as much as the painting would
    if the camera moved over it. Var is over all values of all clips; scaling or shifting the values of either changes nothing.
    NaN where either is constant to half a grey level. Our own figure, on E_warp of Lai et al. 2018; never without a distance
    from the style beside it.

    Args:
        gap: frames from the first to the second of a pair, >= 1.
        resamples: of the bootstrap.
        seed: of the resamples.
    """

    higher_is_better = False

    def __init__(self, gap: int = 1, resamples: int = 0, seed: int = 0) -> None:
        super().__init__(10, resamples, seed)
        self.gap = gap

    def update(
        self,
        output: Tensor,
        reference: Tensor,
        flow: Tensor,
        visible: Tensor,
        numbers: list[int] | None = None,
        reference_flow: Tensor | None = None,
        reference_visible: Tensor | None = None,
    ) -> None:
        """Take clips.

        Args:
            output: ``(B, T, 3, H, W)`` in [-1, 1], T > gap.
            reference: the same shape; of any T, H and W if it brings its own flow.
            flow: ``(B, T - gap, 2, H, W)`` of the output, backward over ``gap`` frames, in pixels.
            visible: ``(B, T - gap, 1, H, W)`` in {0, 1}.
            numbers: of the clips, as of ``ClipMetric.add``.
            reference_flow: of the reference; None is that of the output.
            reference_visible: the same.

        Raises:
            ValueError: sizes that do not agree, or flow of the reference without visibility.
        """
        if reference_flow is None:
            _check_same(output, reference)
            reference_flow, reference_visible = flow, visible
        if reference_visible is None:
            raise ValueError("reference_visible: expected that of reference_flow, got None; pass both, or neither")
        ours = _relative_sums(output, flow, visible, self.gap)
        theirs = _relative_sums(reference, reference_flow, reference_visible, self.gap)
        self.add(torch.cat([ours, theirs], dim=1), numbers)

    def value(self, sums: Tensor) -> Tensor:
        return _ratio(sums)

    def under_the_same_camera(self) -> Tensor:
        """R if the output also had the reference's own error, a scalar: of pictures seen by the camera that saw the reference.

        For an output without the sensor noise, or the errors of an estimated flow, that the reference has.
        """
        with self.sync_context(self.dist_sync_fn, should_sync=self._to_sync, should_unsync=self._should_unsync):
            sums = self.sums[0].clone()
            error, clips = sums[5:7]
            sums[0] += sums[1] * error / clips
            return self.value(sums)


def _check(frames: Tensor, flow: Tensor, gap: int) -> None:
    if frames.dim() != 5 or frames.shape[1] < 2:
        raise ValueError(
            f"warping_error: expected clips (B, T, 3, H, W) of two frames or more, got {tuple(frames.shape)}; "
            "single frames cannot flicker"
        )
    pairs = frames.shape[1] - gap
    if gap < 1 or pairs < 1 or flow.shape[1] != pairs:
        raise ValueError(
            f"warping_error: expected a gap of 1 to {frames.shape[1] - 1} frames and flow of each pair that far apart, got a "
            f"gap of {gap} and {flow.shape[1]} fields for {frames.shape[1]} frames; use gap_flow, or estimate over this gap"
        )


def _check_same(output: Tensor, content: Tensor) -> None:
    if output.shape != content.shape:
        raise ValueError(
            f"flicker_ratio: expected output and content of one shape, got {tuple(output.shape)} and {tuple(content.shape)}; "
            "compare a clip with its own repainting"
        )


def _pair_error(early: Tensor, late: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """``(B, 3, H, W)`` twice, ``(B, 2, H, W)`` and ``(B, 1, H, W)`` to ``(B,)``."""
    squared = warp(full_precision(early), flow).sub_(full_precision(late)).square_().sum(1, keepdim=True)
    weight = visible.to(squared.dtype)
    total, count = (values.flatten(1).sum(1, dtype=torch.float64) for values in (squared * weight, weight))
    return total / (4 * 3 * count)  # a quarter, for values in [0, 1]; 0 / 0 is NaN: nothing visible


def _seen(visible: Tensor) -> Tensor:
    """Which pairs show anything at all, ``(B, T - gap)``."""
    return visible.flatten(2).any(2)


def _error_sums(frames: Tensor, flow: Tensor, visible: Tensor, gap: int) -> Tensor:
    """The error of each clip and 1; twice 0 for a clip in which nothing is visible. ``(B, 2)`` float64."""
    seen = _seen(visible).any(1)
    errors = torch.where(seen, clip_warping_errors(frames, flow, visible, gap), 0)
    return torch.stack([errors, seen.to(errors)], dim=1)


def _relative_sums(frames: Tensor, flow: Tensor, visible: Tensor, gap: int) -> Tensor:
    """Of each clip ``_error_sums``, how many values it has, their sum and that of their squares; ``(B, 5)`` float64."""
    moments = torch.stack([_moments(frame) for frame in frames.unbind(1)]).sum(0)
    return torch.cat([_error_sums(frames, flow, visible, gap), moments], dim=1)


def _moments(frames: Tensor) -> Tensor:
    """How many values each frame has, their sum and that of their squares; ``(B, 3, H, W)`` to ``(B, 3)`` float64."""
    values = full_precision(frames).flatten(1)
    total, squares = (part.sum(1, dtype=torch.float64) for part in (values, values * values))
    return torch.stack([torch.full_like(total, values[0].numel()), total, squares], dim=1)


def _ratio(sums: Tensor) -> Tensor:
    return _relative(sums[..., :5]) / _relative(sums[..., 5:])


def _relative(sums: Tensor) -> Tensor:
    error, clips, count, total, squares = sums.unbind(-1)
    variance = squares / count - (total / count).square()
    variance = torch.where(variance.clamp(min=0).sqrt() < _LEAST_CONTRAST, torch.nan, variance)
    return error / clips / (variance / 4)
