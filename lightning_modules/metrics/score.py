"""One number for how good a painter is, which a sweep can minimise: style and flicker together, cheats and failures last."""

import math
from collections.abc import Sequence

WORST = 10.0  # of all scores; so large that nobody keeps it, so small that a model of the scores can still tell the good apart


def score(style: float, plain: float, flicker: float | None, paint: float, flags: Sequence[str] = ()) -> float:
    """min(WORST, style / plain + max(0, A - 1)) with A = (R(output) - 1) / R(style).

    The first term is the share of the way to the style that is still to go, 1 where the unpainted input is. A is the flicker
    added to the input's own, in units of what paintings show that the camera moves over: up to these nothing is charged, and
    calmer is not rewarded, as blur and grey would be. The input's own is 1 in units of R; it is left out because validation
    clips bring sensor noise, or errors of an estimated flow, which the style's clips do not.

    Args:
        style: distance of the painted frames from the style, >= 0.
        plain: that of the unpainted frames, > 0.
        flicker: R of the painted frames, the flicker ratio to the content, >= 0; None for single frames, which cannot flicker.
        paint: R of the style's clips in motion, > 0.
        flags: what cheats it looks like, of ``metrics.degenerate``.

    Returns:
        In [0, WORST], lower is better. WORST for any cheat, and where a part is not a number, so never NaN.
    """
    parts = (style, plain) if flicker is None else (style, plain, flicker, paint)
    if flags or not all(map(math.isfinite, parts)) or plain <= 0:
        return WORST
    added = 0.0 if flicker is None else max(0.0, flicker - 1 - paint)  # A - 1, in units of R
    if added > 0:
        added = added / paint if paint > 0 else WORST
    return min(WORST, style / plain + added)
