"""How long frames take, without keeping every one's time."""

from collections import Counter

TICK = 1e-4  # seconds; times are rounded to it


class Pace:
    """Counts times of frames, rounded to a tenth of a millisecond: in memory that does not grow with their number."""

    def __init__(self) -> None:
        self.times: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count a frame."""
        self.times[round(seconds / TICK)] += 1

    def percentile(self, percent: int) -> float:
        """Milliseconds that ``percent`` of the frames do not exceed, by nearest rank; at least one frame is needed."""
        rank = -(-percent * self.times.total() // 100)
        for ticks, count in sorted(self.times.items()):
            rank -= count
            if rank <= 0:
                return ticks * TICK * 1000
        raise ValueError("expected at least one frame, got none")

    def __str__(self) -> str:
        return f"p50 {self.percentile(50):.1f} ms, p95 {self.percentile(95):.1f} ms a frame"
