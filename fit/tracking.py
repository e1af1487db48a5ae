"""What W&B gets of a run beside its losses, and how a run ends there; by itself where a sweep's agent has started the run."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from lightning.pytorch.loggers import Logger, WandbLogger

from fit.evaluation.card import Card
from fit.folder import RUNS
from fit.resume import SWEEP, trial

JUDGED = ("style", "added_flicker", "flicker_ratio", "ssim")  # of a card's columns
COST = {"parameters": "parameters", "frames/s": "frames_per_second", "p95 ms": "p95_milliseconds"}  # of its facts


def attached(loggers: Iterable[Logger]) -> list[Logger]:
    """The loggers of a run, with W&B's where an agent of a sweep has started it and it has none.

    The agent's environment says which run of which project it is; one sweep file thus serves with an account and without.
    """
    found = list(loggers)
    if trial() and not any(isinstance(logger, WandbLogger) for logger in found):
        found.append(WandbLogger(save_dir=str(RUNS), group=os.environ[SWEEP]))
    return found


def figures(card: Card) -> dict[str, float]:
    """The main numbers of the network judged, by the names they are logged under."""
    row = next(row for row in card.rows if row.kind == "network")
    found = {f"card/{key}": row.values[key].value for key in JUDGED if key in row.values}
    for fact, value in row.facts.items():
        name = COST.get(fact.partition(" at ")[0])
        if name and isinstance(value, int | float):
            found[f"card/{name}"] = value
    return {name: float(value) for name, value in found.items() if value is not None}


def hand_over(loggers: Iterable[Logger], card: Card, folder: Path, step: int) -> None:
    """Log a card's main numbers at the last step, and its page where W&B is attached.

    Args:
        loggers: of the run.
        card: of the run.
        folder: where the card lies.
        step: of the generators.
    """
    for logger in loggers:
        logger.log_metrics(figures(card), step)
        if isinstance(logger, WandbLogger):
            import wandb

            logger.experiment.log({"card": wandb.Html(str(folder / "card.html"), inject=False)})


def close(loggers: Iterable[Logger], status: int) -> None:
    """End the run in W&B as the process will end. One that makes room for others (SIGUSR1) is marked to be run again."""
    if not any(isinstance(logger, WandbLogger) for logger in loggers):
        return
    import wandb

    if wandb.run is not None and status == 128 + signal.SIGUSR1:
        wandb.run.mark_preempting()
    wandb.finish(exit_code=status)
