"""The clips that flicker most, and what each row makes of them."""

import math
from collections.abc import Sequence

from fit.evaluation.card import Card, Row
from fit.evaluation.markup import Markup, tag
from fit.evaluation.plots.axis import axis_over
from fit.evaluation.plots.frame import WIDTH, horizontal, legend, picture
from fit.evaluation.plots.look import looks
from lightning_modules.pictures import shortened

_SHOWN = 8  # clips
_LEFT, _TOP, _LINE = 190.0, 14.0, 30.0
_LONGEST = 25  # letters of a clip's name

Values = dict[str, float]


def worst_clips(card: Card) -> Markup | None:
    """A line for each clip, the worst on top, with the flicker of each row on it; None where clips have no such values."""
    flicker = next((column for column in card.columns if column.key in card.axes[1:]), None)
    if flicker is None:
        return None
    worst = ranked(card, flicker.key)[:_SHOWN]
    if not worst:
        return None
    bottom = _TOP + _LINE * len(worst)
    x = axis_over([value for _, values in worst for value in values.values()], _LEFT, WIDTH - 14)
    look = {name: each for name, each in looks(card.rows).items() if any(name in values for _, values in worst)}
    keys, height = legend(look, bottom + 46, lines=False)
    name = f"{flicker.name} of the clip" + (", logarithmic" if x.logarithmic else "")
    parts = [*horizontal(x, bottom, _TOP, name), *keys]
    for number, (clip, values) in enumerate(worst):
        y = _TOP + _LINE * (number + 0.5)
        text = shortened(clip, _LONGEST)
        parts.append(tag("line", x1=_LEFT, x2=WIDTH - 14.0, y1=y, y2=y, class_="grid-line"))
        parts.append(tag("text", tag("title", clip), text, x=_LEFT - 12, y=y + 4, text_anchor="end", class_="key"))
        parts += [look[row].mark(x.at(value), y, f"{row}, {clip}: {value:.3g}") for row, value in values.items()]
    about = ", ".join(clip for clip, _ in worst)
    return picture("Worst clips", about, bottom + 46 + height + 6, *parts)


def ranked(card: Card, key: str) -> list[tuple[str, Values]]:
    """Clips with the values of the rows that have one, from the worst on.

    A clip is as bad as the worst network's value on it, or the worst control's where there are no networks.
    """
    judged = [row for row in card.rows if row.kind == "network"] or [row for row in card.rows if row.kind == "control"]
    clips = [(clip, _values(card.rows, number, key)) for number, clip in enumerate(card.clips)]
    bad = {clip: max((values[row.name] for row in judged if row.name in values), default=-math.inf) for clip, values in clips}
    return sorted((each for each in clips if bad[each[0]] > -math.inf), key=lambda each: -bad[each[0]])


def _values(rows: Sequence[Row], number: int, key: str) -> Values:
    found = {row.name: row.clips[number].get(key) for row in rows if number < len(row.clips)}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}
