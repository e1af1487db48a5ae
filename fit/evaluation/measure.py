"""Painters, judged on the same clips, to a card."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from fit.evaluation.card import Card, Column, Fact, Row
from fit.evaluation.clips import Judged, JudgedClips
from fit.evaluation.judge import Judge
from fit.evaluation.media import contact_sheet, error_maps, film
from fit.evaluation.painters import Painter
from fit.evaluation.pareto import front
from fit.evaluation.tools import Tools
from lightning_modules.metrics.maps import error_map
from lightning_modules.metrics.warping_error import pair_warping_errors

SHOWN = 4  # clips in the films
TOLERANCE = 0.5 / 127.5  # half a grey level: rounding


class Seat:
    """A painter with what was found about it so far."""

    def __init__(self, painter: Painter, tools: Tools) -> None:
        self.painter, self.judge = painter, Judge(tools)
        self.clips: list[Mapping[str, float | None]] = []
        self.errors: list[Tensor] = []
        self.shown: list[Tensor] = []
        self.maps: list[Tensor] = []
        self.whole = True  # whether all values were numbers

    def see(self, clip: Judged, device: str) -> None:
        """Paint a clip and judge it."""
        frames = clip.content[0].to(device)
        painted = self.painter.paint(frames)
        check(self.painter.name, frames, painted)
        cycled = self.painter.back(painted)[None].cpu() if self.painter.back else None
        output = painted[None].cpu()
        self.whole &= bool(output.isfinite().all())
        self.errors.append(pair_warping_errors(output, *clip.motion)[0])
        alone = {"warping_error": float(self.errors[-1].nanmean())}
        self.clips.append(self.judge.see(output, clip, cycled) | alone)
        if len(self.shown) < SHOWN:
            self.shown.append(output[0])
            self.maps.append(error_map(output, *clip.motion)[0])

    def row(self, video: str, errors: str) -> Row:
        """What the card says."""
        over_time = torch.stack(self.errors).nanmean(0).tolist()
        flags = [] if self.painter.kind == "input" else self.judge.guards.flags()
        flags += [] if self.whole else ["not finite"]
        name, kind, facts = self.painter.name, self.painter.kind, dict(self.painter.facts)
        return Row(name, kind, self.judge.estimates(), flags, self.clips, over_time, facts, video, errors)


def check(name: str, frames: Tensor, painted: Tensor) -> None:
    """Refuse what would be judged as something else.

    Raises:
        ValueError: another shape, or another range.
    """
    if painted.shape != frames.shape:
        raise ValueError(
            f"{name}: expected painted frames {tuple(frames.shape)}, got {tuple(painted.shape)}; keep the size of what comes in"
        )
    least, most = (float(end) for end in painted.aminmax())
    if least < -1 - TOLERANCE or most > 1 + TOLERANCE:
        raise ValueError(f"{name}: expected painted values in [-1, 1], got {least:.3g} to {most:.3g}; scale or clamp them")


def judge_all(
    painters: Sequence[Painter], clips: JudgedClips, tools: Tools, device: str, progress: Callable[[], object]
) -> list[Seat]:
    """Let every painter paint every clip; of a clip no more is kept than the card shows.

    Args:
        painters: with names that differ.
        clips: to paint.
        tools: of the metrics.
        device: to paint on.
        progress: called after each clip.

    Raises:
        ValueError: a painter changes the size of frames, or their range.
    """
    seats = [Seat(painter, tools) for painter in painters]
    with torch.inference_mode():
        for picture in clips.styles():
            seen = tools.see(picture)
            for seat in seats:
                seat.judge.take_style(seen)
        for clip in clips:
            for seat in seats:
                seat.see(clip, device)
            progress()
    return seats


def to_card(
    seats: Sequence[Seat],
    title: str,
    data: dict[str, Fact],
    found: list[Column],
    names: list[str],
    notes: list[str],
    folder: Path,
) -> Card:
    """Write pictures and films into a folder; a card that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    contact_sheet({seat.painter.name: seat.shown[0] for seat in seats}, folder / "sheet.png")
    maps = {folder / f"errors-{number}.png": torch.stack(seat.maps) for number, seat in enumerate(seats)}
    error_maps(maps)
    rows = []
    for number, (seat, errors) in enumerate(zip(seats, maps, strict=True)):
        film(seat.shown, folder / f"film-{number}.mp4")
        rows.append(seat.row(f"film-{number}.mp4", errors.name))
    flicker = "added_flicker" if any(column.key == "added_flicker" for column in found) else "flicker_ratio"
    axes = ["style", flicker]
    return Card(title, data, found, rows, names, notes, axes, front(rows, *axes), "sheet.png")
