"""One number for how good a painter is, which a sweep can minimise: style and flicker together, cheats and failures last."""

import math
from collections.abc import Sequence

WORST = 10.0  # of all scores; so large that nobody keeps it, so small that a model of the scores can still tell the good apart


def score(style: float, plain: float, added: float | None, flags: Sequence[str] = ()) -> float:
    """min(WORST, style / plain + max(0, A - 1)): 1 for the unpainted input, 0 for the style itself under the camera.

    The first term is the share of the way to the style that is still to go, the second what the result flickers more than
    paintings would that the camera moves over. Calmer than these is not rewarded: blur and grey would be.

    Args:
        style: distance of the painted frames from the style, >= 0.
        plain: that of the unpainted frames, > 0.
        added: A, the added flicker: R of the painted frames over that of the style in motion, under the same camera, >= 0;
            None for single frames, which cannot flicker.
        flags: what cheats it looks like, of ``metrics.degenerate``.

    Returns:
        In [0, WORST], lower is better. WORST for any cheat, and where a part is not a number, so never NaN.
    """
    excess = 0.0 if added is None else max(0.0, added - 1)
    if flags or not all(map(math.isfinite, (style, plain, 0.0 if added is None else added))) or plain <= 0:
        return WORST
    return min(WORST, style / plain + excess)
