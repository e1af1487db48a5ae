"""Cheats, named: outputs that win a metric because they are hardly a painting of the input.

A constant or blurred output does not flicker, the input itself keeps all content, and a frozen painting is in the style. Each
limit below stands between what was measured on single clips (18 real septuplets with estimated flow, 19 photographs in exact
motion with sensor noise of 2/255): of outputs made to be caught, and of healthy ones, which are the default network untrained
and after 60 steps, a frame-wise network of the fast-neural-style kind, and 19 paintings that move as the photographs do.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.ops.statistics import full_precision
from lightning_modules.ops.warp import warp

LEAST_CONTRAST = 0.1  # mean colour with noise of a grey level: 0.01 to 0.05, 0.3 on an almost black clip; healthy: from 0.43
LEAST_CHANGE = 0.01  # 2.5 of 255 levels; the input with noise of 2/255 more: 0.006; healthy: from 0.029
FROZEN = 0.5  # the first frame kept: 0, with noise up to 0.04, more where little moves; healthy: from 0.8, the input from 1.1
MOVES = 1.0  # pixels from frame to frame; less is hardly seen, and is where estimates of flow are noise
SIDE = 5  # of the box that blurs the input for comparison
SHARPER = 2.5  # than that blur, by energy; the blur itself: up to 1.2, a box of 7: 0.5; healthy: from 10
LEAST_DETAIL = 0.25  # of the input's; boxes of 5: up to 0.13; keeps outputs as soft as a soft input from being called blurred


class Degenerate(ClipMetric):
    """Names what kind of cheat an output looks like.

    Numbers, in the order of ``value``, from means over clips:

    - contrast: sqrt(Var(out) / Var(in)), variances within frames. Near 0: constant.
    - change: mean |out - in| as a share of the full range. Near 0: identity.
    - stillness of the output: U / W, where U is the mean of (x[t] - x[t+1])^2 and W that of (warp(x[t], flow[t]) - x[t+1])^2,
      over visible pixels that move. 0: frozen, as nothing changes; above 1 for what moves with the flow; about 1 for flicker.
    - the same of the input, which must move itself for the output's to mean anything.
    - sharpness: energy of the Laplacian over variance, relative to the input blurred by a box of 5x5. 1 or below: blurred.
    - detail: the same relative to the input itself.

    Range: all >= 0; NaN where there is nothing to divide by, which is never flagged. Direction: neither.
    Source: own; limits, reasons and margins stand beside the constants.
    """

    def __init__(self) -> None:
        super().__init__(11)

    def update(self, output: Tensor, content: Tensor, flow: Tensor, visible: Tensor, numbers: list[int] | None = None) -> None:
        """Take clips.

        Args:
            output: ``(B, T, 3, H, W)`` in [-1, 1], T >= 2, sides at least 7.
            content: the same shape.
            flow: ``(B, T - 1, 2, H, W)`` of the content, backward, in pixels.
            visible: ``(B, T - 1, 1, H, W)`` in {0, 1}, any type.
            numbers: of the clips, as ``ClipMetric.add`` takes them.

        Raises:
            ValueError: shapes that differ, or single frames.
        """
        if output.dim() != 5 or output.shape != content.shape or output.shape[1] < 2:
            raise ValueError(
                "Degenerate: expected two batches of clips (B, T, 3, H, W) of one shape and two frames or more, got "
                f"{tuple(output.shape)} and {tuple(content.shape)}; compare a clip with its own repainting"
            )
        output, content = full_precision(output), full_precision(content)
        moving = (flow.square().sum(2, keepdim=True) > MOVES**2) * visible.to(output)
        columns = [_variance(output), _variance(content), _mean((output - content).abs()) / 2, output.new_ones(len(output))]
        columns += [*_changes(output, flow, moving), *_changes(content, flow, moving)]
        columns += [_detail(output), _detail(content), _detail(_blurred(content))]
        self.add(torch.stack(columns, dim=1), numbers)

    def value(self, sums: Tensor) -> Tensor:
        """``(..., 6)``: contrast, change, stillness of output and input, sharpness, detail."""
        varied, natural, change, count, u, w, u_in, w_in, fine, natural_fine, blurred_fine = sums.unbind(-1)
        ours = fine / varied
        numbers = [(varied / natural).sqrt(), change / count, u / w, u_in / w_in]
        return torch.stack([*numbers, ours / (blurred_fine / natural), ours / (natural_fine / natural)], dim=-1)

    def compute(self) -> Tensor:
        """The six numbers over all clips so far."""
        return super().compute()

    def flags(self) -> list[str]:
        """Of "constant", "identity", "frozen" and "blurred" those the output looks like; empty for a healthy one."""
        contrast, change, still, still_input, sharpness, detail = self.compute().tolist()
        if contrast < LEAST_CONTRAST:
            return ["constant"]  # anything else about it would be judged from rounding
        blurred = sharpness < SHARPER and detail < LEAST_DETAIL
        identity = change < LEAST_CHANGE and not blurred  # smooth input changes as little by blurring
        frozen = still < FROZEN and still_input > 1
        named = {"identity": identity, "frozen": frozen, "blurred": blurred}
        return [name for name, seen in named.items() if seen]


def _mean(values: Tensor) -> Tensor:
    """Of each clip, ``(B,)``."""
    return values.flatten(1).mean(1)


def _variance(frames: Tensor) -> Tensor:
    """Within each colour of each frame, mean of each clip."""
    return _mean(frames.var((-2, -1), correction=0))


def _changes(frames: Tensor, flow: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
    """U and W of each clip, up to a factor."""
    before, after = frames[:, :-1], frames[:, 1:]
    return _mean((before - after).square() * moving), _mean((warp(before, flow) - after).square() * moving)


def _detail(frames: Tensor) -> Tensor:
    """Mean square of the Laplacian (five points) of each clip."""
    inside = frames[..., 1:-1, 1:-1]
    across = frames[..., 1:-1, :-2] + frames[..., 1:-1, 2:]
    return _mean((across + frames[..., :-2, 1:-1] + frames[..., 2:, 1:-1] - 4 * inside).square())


def _blurred(frames: Tensor) -> Tensor:
    """Box-blurred, without the borders."""
    flat = frames.flatten(0, 1)
    flat = F.avg_pool2d(F.avg_pool2d(flat, (1, SIDE), stride=1), (SIDE, 1), stride=1)
    return flat.reshape(*frames.shape[:2], *flat.shape[1:])
