"""Run a sweep here, without an account: ``python -m fit.sweep FILE [--count N] [--parallel K] [--dir DIR] [--seed S]``.

FILE is a sweep of W&B's official schema, the same file that ``wandb sweep`` takes. Suggestions come from W&B's own library, the
command of each trial is built by the rules of ``wandb agent``, and hyperband stops what the file says it shall.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from fit.arguments import Parser, at_least
from fit.folder import new_folder
from fit.messages import explain, fail
from fit.run import python
from fit.sweeping.display import Display
from fit.sweeping.file import RUN_CAP, SweepFile, read
from fit.sweeping.parameters import Parameter, grid_size, parameters
from fit.sweeping.report import PAGE, write
from fit.sweeping.runner import Runner
from fit.sweeping.slots import share_out
from fit.sweeping.store import TRIAL, Store
from fit.sweeping.suggest import Suggestions
from fit.sweeping.table import best, ranked, table


def parser() -> Parser:
    """The options of the command."""
    made = Parser(
        prog="python -m fit.sweep",
        description="Run a sweep file of W&B's schema here, without an account. The same command with --dir goes on with it.",
        allow_abbrev=False,
    )
    made.add_argument("file", type=Path, metavar="FILE", help="such as sweeps/smoke.yaml")
    made.add_argument("--count", type=at_least(1), metavar="N", help="trials in all (the file's run_cap; of a grid, all)")
    made.add_argument(
        "--parallel", type=at_least(1), default=1, metavar="K", help="trials at a time (1); GPUs and cores are shared out"
    )
    made.add_argument(
        "--dir", type=Path, metavar="DIR", help="of a sweep to go on with, or of a new one (runs/<time>-sweep-<file>)"
    )
    made.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of random and bayes suggestions (0)")
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where every trial failed; 130 or 143 where SIGINT or SIGTERM ended it early.

    Raises:
        SystemExit: status 2 and one line on standard error for a mistake, before any work.
    """
    given = parser().parse_args(args)
    try:
        return sweep(given)
    except KeyboardInterrupt:
        print("interrupted; no trial is running", file=sys.stderr)
        return 130
    except Exception as error:
        if line := explain(error):
            fail(line)
        raise


def sweep(given: argparse.Namespace) -> int:
    """What ``main`` does, with its options read.

    Raises:
        ValueError: what is wrong, in one line.
    """
    file = read(given.file, python())
    limit = total(file, given.count)
    slots = share_out(given.parallel, file.devices)
    suggestions = Suggestions(file.config, given.seed)
    display = Display(sys.stdout, file, varied(file), given.parallel)
    if given.dir:
        Store(given.dir).check(file, given.seed)
        given.dir.mkdir(parents=True, exist_ok=True)
    store = Store(given.dir or new_folder(f"sweep-{given.file.stem}"))
    with store.locked() as lock:
        store.settle(file, given.seed)
        runner = Runner(file, store, suggestions, slots, limit, python(), display)
        display.say(f"Sweep: {store.folder}, {limit} trials, {len(runner.trials)} begun", *filter(None, [slots.note]))
        signal = runner.run(lock)
        write(file, store, runner.trials, varied(file))
    display.say(*farewell(given, runner))
    if signal:
        return 128 + signal
    return int(not any(trial.state in ("finished", "stopped") for trial in runner.trials))


def total(file: SweepFile, count: int | None) -> int:
    """How many trials there shall be.

    Raises:
        ValueError: nothing says so.
    """
    said = [number for number in (count, file.config.get(RUN_CAP)) if number is not None]
    if file.config["method"] == "grid":
        said.append(grid_size(file.config))
    if not said:
        raise ValueError(
            f"--count: expected how many trials to run, as method {file.config['method']} has no end; give --count 20"
        )
    return min(said)


def farewell(given: argparse.Namespace, runner: Runner) -> list[str]:
    """The table, the best trial with its command, and how to go on."""
    file, store, trials = runner.file, runner.store, runner.trials
    lines = ["", *table(ranked(trials, file.metric, file.maximize), file.metric, varied(file)), ""]
    if found := best(trials, file.metric, file.maximize):
        lines += [f"Best: trial {found.number} in {store.of(found)}; it is repeated by", f"  {shlex.join(found.command)}"]
    lines.append(f"Table and plots: {store.folder / PAGE}")
    if runner.satisfied:
        lines.append(f"The target, {file.metric} {file.target}, is reached.")
    elif runner.hopeless:
        lines.append(
            f"All {len(trials)} trials failed. Find out why, remove {TRIAL} of those to try again, and run the same again."
        )
    elif sum(trial.final for trial in trials) < runner.limit:
        words = [python(), "-m", "fit.sweep", str(given.file), "--dir", str(store.folder)]
        words += [word for name in ("count", "parallel", "seed") if (word := option(given, name))]
        lines += ["Not all trials have ended. Go on with:", f"  {shlex.join(words)}"]
    return lines


def varied(file: SweepFile) -> list[Parameter]:
    """The parameters that are not constant."""
    return [parameter for parameter in parameters(file.config) if len(parameter.values) > 1]


def option(given: argparse.Namespace, name: str) -> str:
    """An option as it was given, or "" if it has its default."""
    value = getattr(given, name)
    return "" if value == parser().get_default(name) else f"--{name}={value}"


if __name__ == "__main__":
    sys.exit(main())
