"""What a sweep has found, as one page that needs nothing else, and its plots as PNG."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from datamodules.pack_plan import replace
from fit.evaluation.card import Card, Column, Estimate, Row
from fit.evaluation.html.page import document, header, plot, section
from fit.evaluation.html.tables import scrolled
from fit.evaluation.markup import Markup, tag
from fit.evaluation.pareto import front
from fit.evaluation.plots.tradeoff import tradeoff
from fit.sweeping.file import SweepFile
from fit.sweeping.importance import LEAST, Importance, bars, importance
from fit.sweeping.metrics import FLICKER, STYLE
from fit.sweeping.parallel import parallel
from fit.sweeping.parameters import Parameter
from fit.sweeping.raster import png
from fit.sweeping.store import Store
from fit.sweeping.table import best, cells, ranked
from fit.sweeping.trial import Trial

PAGE = "sweep.html"
_LINES = "A line for each trial, from blue for the best to orange for the worst; thick: the best; dashed: stopped early."
_FRONT = "Numbers are trials, at their last values. The line joins those that no other beats in both."


def write(file: SweepFile, store: Store, trials: Sequence[Trial], varied: Sequence[Parameter]) -> None:
    """Write ``sweep.html``, and beside it as PNG the plots for which there are enough trials."""
    found = importance(trials, varied, file.metric) if file.metric else None
    plots = {
        "parallel": parallel(trials, varied, file.metric, file.maximize) if file.metric else None,
        "importance": bars(found) if found else None,
        "pareto": tradeoff(as_card(trials)),
    }
    for name, drawn in plots.items():
        path = store.folder / f"{name}.png"
        if drawn:
            replace(path, png(drawn))
        else:
            path.unlink(missing_ok=True)
    title = str(file.config.get("name") or file.path.stem)
    replace(store.folder / PAGE, document(title, _parts(title, file, store, trials, varied, plots, found)).encode())


def as_card(trials: Sequence[Trial]) -> Card:
    """Trials as rows that differ in style and flicker, for the plots of an evaluation."""
    known = [trial for trial in trials if trial.state in ("finished", "stopped") and {STYLE, FLICKER} <= trial.values.keys()]
    rows = [
        Row(str(trial.number), "network", {name: Estimate(trial.values[name]) for name in (STYLE, FLICKER)}) for trial in known
    ]
    columns = [Column(name, name, "lower", name) for name in (STYLE, FLICKER)]
    return Card("sweep", {}, columns, rows, [], axes=[STYLE, FLICKER], front=front(rows, STYLE, FLICKER))


def _parts(
    title: str,
    file: SweepFile,
    store: Store,
    trials: Sequence[Trial],
    varied: Sequence[Parameter],
    plots: dict[str, Markup | None],
    found: Importance | None,
) -> Iterator[Markup]:
    yield header(title, dict(_facts(file, store.folder, trials)))
    if first := best(trials, file.metric, file.maximize):
        lead = f"Trial {first.number} is repeated by {shlex.join(first.command)}"
        yield section("Best trial", lead, _settings(first))
    drawn = [  # the tall one first: the others stand beside it
        plot("Style against flicker", _FRONT, plots["pareto"]),
        plot("Parallel coordinates", _LINES, plots["parallel"]),
        plot("Importance of the parameters", _about(found) if found else "", plots["importance"]),
    ]
    yield section("Plots", "", tag("div", *filter(None, drawn), class_="plots") if any(drawn) else None)
    order = ranked(trials, file.metric, file.maximize)
    yield section("Trials", "The best first, at their last values.", _table(cells(order, file.metric, varied)))
    notes = [f"Trial {trial.number} failed: {trial.reason}." for trial in trials if trial.state == "failed"]
    if found is None and file.metric:
        notes.append(f"Importance needs {LEAST} trials with different values of {file.metric}.")
    yield section("Notes", "", tag("ul", *(tag("li", note) for note in notes)) if notes else None)


def _facts(file: SweepFile, folder: Path, trials: Sequence[Trial]) -> Iterator[tuple[str, str]]:
    yield "file", str(file.path)
    yield "folder", str(folder)
    yield "method", file.config["method"]
    if file.metric:
        yield "metric", f"{file.metric}, {'higher' if file.maximize else 'lower'} is better"
    states = Counter(trial.state for trial in trials)
    yield "trials", ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    if "description" in file.config:
        yield "about", file.config["description"]


def _about(found: Importance) -> str:
    return (
        f"Importance in a random forest (mean decrease in impurity) that predicts the rank of the metric from {found.trials} "
        f"trials. Of trials it has not seen it explains {found.fit:.0%} of the variance (out-of-bag R squared); where that is "
        "near 0 or below, the shares mean nothing. Rank correlation: how a larger value goes with a larger metric."
    )


def _settings(trial: Trial) -> Markup:
    terms = [
        tag("div", tag("dt", name), tag("dd", value if isinstance(value, str) else json.dumps(value)))
        for name, value in trial.args.items()
    ]
    return tag("dl", *terms, class_="data")


def _table(rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", *(tag("th", name.replace(".", ".\N{ZERO WIDTH SPACE}"), scope="col") for name in rows[0]))
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", text) for text in row[1:])) for row in rows[1:]]
    return scrolled(tag("table", tag("thead", head), tag("tbody", *body), class_="values"))
