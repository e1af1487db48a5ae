"""Pictures and films beside a card, from the clips of its rows."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from lightning_modules.pictures import GAP, HEADING, Pictures, encode, enlarged, headings, joined, pixels, to_and_fro

_CELL = 236  # widest picture of a contact sheet in pixels
_SHEET = 2048  # widest contact sheet: it travels inside the page
_TIMES = 4  # rows of a contact sheet
_FILM = 480  # widest film
_LINES = 28  # an error map is so many times as wide as the line that explains its colours is high
_TOP = 0.995  # share of the errors that are below the brightest colour


def contact_sheet(columns: dict[str, Tensor], path: Path) -> None:
    """A column for each row of a card, time downward: the first frame, the last, and two between.

    Args:
        columns: by name; each ``(T, 3, H, W)`` in [-1, 1], all of one T.
        path: of the PNG.
    """
    width = max(1, min(_CELL, _SHEET // len(columns) - GAP))
    length = len(next(iter(columns.values())))
    times = torch.linspace(0, length - 1, min(_TIMES, length)).round().long()
    cells = joined([pixels(_narrowed(frames[times], width)) for frames in columns.values()])
    Image.fromarray(np.concatenate([headings(list(columns), cells.shape[-2]), *cells])).save(path)


def film(clips: Sequence[Tensor], path: Path, rate: int = 8) -> None:
    """The clips of a row one after the other as H.264; films of the same clips are equally long, frame by frame.

    Args:
        clips: each ``(T, 3, H, W)`` in [-1, 1], all of one size; short ones go to and fro.
        path: of the MP4.
        rate: frames per second.
    """
    frames = [picture for clip in clips for picture in to_and_fro(enlarged(pixels(_narrowed(clip, _FILM))))]
    encode(frames, path, rate)


def error_maps(maps: dict[Path, Tensor]) -> None:
    """Where pictures flicker: a heat map for each row, the same colours for the same error in all of them.

    Args:
        maps: by the PNG to write; each ``(N, H, W)``, N clips next to each other: the mean squared difference along the motion
            of values in [0, 1]. Its root is shown, in percent of the full range; NaN, where nothing was compared, is grey.
    """
    roots = {path: 100 * errors.detach().double().cpu().clamp(min=0).sqrt() for path, errors in maps.items()}
    values = torch.cat([root[root.isfinite()] for root in roots.values()]).numpy()
    top = max(float(np.quantile(values, _TOP)) if len(values) else 0.0, 0.1)  # a tenth of a percent: rounding is no flicker
    for path, root in roots.items():
        clips = joined([enlarged(_heat(errors, top)) for errors in root])
        Image.fromarray(np.concatenate([clips, _explained(clips.shape[1], top)])).save(path)


def _narrowed(frames: Tensor, width: int) -> Tensor:
    """Frames ``(T, 3, H, W)`` at most so wide."""
    if frames.shape[-1] <= width:
        return frames
    size = (max(1, round(frames.shape[-2] * width / frames.shape[-1])), width)
    return interpolate(frames.float(), size=size, mode="bilinear", antialias=True)


def _heat(errors: Tensor, top: float) -> Pictures:
    """Colours ``(H, W, 3)`` from black (0) to light yellow (``top`` and above)."""
    levels = (errors.nan_to_num().clamp(max=top) / top * 255).round().byte().numpy()
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    colours[errors.isnan().numpy()] = 128
    return np.asarray(colours, dtype=np.uint8)


def _explained(width: int, top: float) -> Pictures:
    """A white strip with the colours from 0 to ``top``, large enough to be read when the whole is shown smaller."""
    line = max(HEADING, width // _LINES)
    strip = Image.new("RGB", (width, line), "white")
    ramp = _heat(torch.linspace(0, top, width // 3, dtype=torch.float64).expand(line // 2, -1), top)
    strip.paste(Image.fromarray(ramp), (line, line // 4))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(line * 0.6)
    draw.text((line * 0.8, line / 2), "0", fill="black", anchor="rm", font=font)
    draw.text((width // 3 + line * 1.2, line / 2), f"{top:.2g} %", fill="black", anchor="lm", font=font)
    return np.asarray(strip)
