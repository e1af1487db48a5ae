"""A trial: a suggestion, the run that tries it, and what came of that."""

from dataclasses import dataclass, field
from typing import Any, Literal

# waiting: to be run, or to be run again; stopping: asked to end, for it is among the worst.
State = Literal["waiting", "running", "stopping", "finished", "stopped", "failed"]


@dataclass
class Trial:
    """One trial of a sweep, as ``trial.json`` keeps it.

    Args:
        number: from 1 on.
        args: the suggestion, values by the names of the parameters.
        command: the words that run it.
        state: see ``State``; the last three are final.
        history: values of the sweep's metric in the order they were logged, the finite ones.
        values: the last finite value of the metric, and of ``val/style`` and ``val/flicker_ratio`` where they are logged.
        step: the last step logged.
        steps: how many the run will make, where that is known.
        began, ended: seconds since the epoch.
        reason: why it failed, in a line.
    """

    number: int
    args: dict[str, Any]
    command: list[str] = field(default_factory=list)
    state: State = "waiting"
    history: list[float] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    step: int | None = None
    steps: int | None = None
    began: float | None = None
    ended: float | None = None
    reason: str = ""

    @property
    def final(self) -> bool:
        """Whether it will not be run again."""
        return self.state in ("finished", "stopped", "failed")

    @property
    def complete(self) -> bool:
        """Whether its run has made its last step; what is left, such as a card, is worth its time."""
        return self.step is not None and self.steps is not None and self.step >= self.steps

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.number:04d}"
