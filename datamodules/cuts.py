"""Where one shot ends and the next begins, by PySceneDetect's measure, while the frames of a video pass by."""

from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect.common import FrameTimecode
from scenedetect.detectors import ContentDetector

SIDE = 96  # of the pictures looked at, at least: their mean difference hardly depends on it
# The defaults of PySceneDetect's adaptive detector.
WINDOW = 2  # frames before and after with which a change is compared
RATIO = 3.0  # to their usual change
LEAST = 15.0  # change of hue, saturation and brightness, averaged, in [0, 255]


class CutFinder(ContentDetector):  # type: ignore[misc]
    """Finds hard cuts: frames that differ from the one before far more than their neighbours do from theirs.

    This is the rule of PySceneDetect's ``AdaptiveDetector`` and a little more: that one is blind near both ends of a file,
    where the neighbours that exist are compared with here, and, as it takes the mean of the neighbours in place of the
    median, for one of two cuts close together. Fast motion and fades are no cuts. Dissolves are not found.
    """

    def __init__(self) -> None:
        super().__init__()
        self._scores: list[float] = []

    def add(self, frame: NDArray[np.uint8]) -> None:
        """The next frame, RGB ``(H, W, 3)``."""
        scale = 1 / max(1, min(frame.shape[:2]) // SIDE)
        small: Any = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        # Its clock counts frames: whatever the times of a file are, the neighbours are what matters.
        self.process_frame(FrameTimecode(len(self._scores), fps=25.0), small)
        self._scores.append(self._frame_score)

    def finish(self) -> tuple[int, ...]:
        """Numbers of the frames that begin a new shot, but the first."""
        return tuple(number for number in range(1, len(self._scores)) if self._is_cut(number))

    def _is_cut(self, number: int) -> bool:
        score = self._scores[number]
        others = [*self._scores[max(1, number - WINDOW) : number], *self._scores[number + 1 : number + 1 + WINDOW]]
        return bool(others) and score >= LEAST and score >= RATIO * median(others)
