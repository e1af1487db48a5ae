"""Clip-consistent changes on the device: one random draw for a clip, the same for all its frames; flow and masks follow."""

import kornia.enhance as enhance
import numpy as np
import torch
from torch import Tensor

from datamodules.batch import Clips, stack


def crop(clips: Clips, top: int, left: int, size: tuple[int, int]) -> Clips:
    """Cut a window out of frames, flow and mask. Places that lay outside the window one frame before become invisible."""
    window = (..., slice(top, top + size[0]), slice(left, left + size[1]))
    if clips.flow is None or clips.visible is None:
        return Clips(clips.frames[window])
    flow = clips.flow[window]
    return Clips(clips.frames[window], flow, clips.visible[window] * _stays_inside(flow))


def _stays_inside(flow: Tensor) -> Tensor:
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[..., 0:1, :, :]
    y = torch.arange(height, device=flow.device)[:, None] + flow[..., 1:2, :, :]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def hflip(clips: Clips) -> Clips:
    """Mirror left and right; the horizontal flow changes sign."""
    if clips.flow is None or clips.visible is None:
        return Clips(clips.frames.flip(-1))
    sign = clips.flow.new_tensor([-1, 1]).view(2, 1, 1)
    return Clips(clips.frames.flip(-1), clips.flow.flip(-1) * sign, clips.visible.flip(-1))


def jitter(frames: Tensor, draws: np.random.Generator, strength: float) -> Tensor:
    """Change brightness, contrast, saturation and hue of a clip ``(T, 3, H, W)`` in [-1, 1] by one random amount each."""
    amount = strength * draws.uniform(-1, 1, 4)
    picture = (frames + 1) / 2
    picture = enhance.adjust_brightness(picture, float(amount[0] / 2))
    picture = enhance.adjust_contrast(picture, float(1 + amount[1]))
    picture = enhance.adjust_saturation(picture, float(1 + amount[2]))
    picture = enhance.adjust_hue(picture, float(amount[3] * np.pi / 2))
    return picture * 2 - 1


class ClipTransform:
    """uint8 clips to float32 in [-1, 1], cropped to ``size``; in training at random, flipped and with changed colours.

    Args:
        size: (height, width) after the crop.
        flip: probability of a horizontal flip.
        strength: of the colour change.
    """

    def __init__(self, size: tuple[int, int], flip: float, strength: float) -> None:
        self.size, self.flip, self.strength = size, flip, strength

    def __call__(self, clips: Clips, draws: list[np.random.Generator] | None, colour: bool) -> Clips:
        """Transform a batch.

        Args:
            clips: uint8 frames ``(B, T, 3, H, W)``, at least ``size``, with flow and mask if known.
            draws: a source of randomness for each clip, or None for a plain centre crop.
            colour: whether colours may change (the style's must not).

        Returns:
            The batch in float32, ``(B, T, 3, *size)``.
        """
        room = (clips.frames.shape[-2] - self.size[0], clips.frames.shape[-1] - self.size[1])
        if draws is None:
            return _as_float(crop(clips, room[0] // 2, room[1] // 2, self.size))
        return stack([self._change(_take(clips, i), room, draws[i], colour) for i in range(len(draws))])

    def _change(self, clip: Clips, room: tuple[int, int], draws: np.random.Generator, colour: bool) -> Clips:
        clip = _as_float(crop(clip, int(draws.integers(room[0] + 1)), int(draws.integers(room[1] + 1)), self.size))
        if draws.random() < self.flip:
            clip = hflip(clip)
        if colour and self.strength > 0:
            clip = clip._replace(frames=jitter(clip.frames, draws, self.strength))
        return clip


def _as_float(clips: Clips) -> Clips:
    visible = None if clips.visible is None else clips.visible.float()
    return Clips(clips.frames.float() / 127.5 - 1, clips.flow, visible)


def _take(clips: Clips, i: int) -> Clips:
    if clips.flow is None or clips.visible is None:
        return Clips(clips.frames[i])
    return Clips(clips.frames[i], clips.flow[i], clips.visible[i])
