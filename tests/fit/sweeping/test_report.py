import io
import math
from pathlib import Path

import pytest
from PIL import Image

from fit.sweeping.file import SweepFile
from fit.sweeping.parameters import Parameter
from fit.sweeping.report import as_card, write
from fit.sweeping.store import Store
from fit.sweeping.trial import Trial

pytest.importorskip("sklearn", reason="the extra sweeps is not installed")
CONFIG = {"method": "random", "name": "mine <b>", "metric": {"name": "val/score"}, "description": "what it asks"}
FILE = SweepFile(Path("a.yaml"), "", CONFIG, 1)
X = Parameter(("x",), [0.0, 1.0], discrete=False, logarithmic=False)


def trial(number: int) -> Trial:
    values = {"val/score": math.sin(number), "val/style": 1 / number, "val/flicker_ratio": 1.0 * number}
    return Trial(number, {"x": number / 10}, ["run", f"a b{number}"], "finished", values=values)


def test_a_page_that_needs_nothing_else_with_its_plots_beside_it(tmp_path: Path) -> None:
    failed = Trial(9, {"x": 0.5}, state="failed", reason="status 1", values={"val/style": 0.0, "val/flicker_ratio": 0.0})
    write(FILE, Store(tmp_path), [*map(trial, range(1, 8)), failed], [X])
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.html", "parallel.png", "importance.png", "pareto.png"}
    for name in ("parallel", "importance", "pareto"):
        assert Image.open(io.BytesIO((tmp_path / f"{name}.png").read_bytes())).width == 1280
    page = (tmp_path / "sweep.html").read_text()
    assert page.count("<svg") == 3
    for part in (
        "<h1>mine &lt;b&gt;</h1>",
        "Trial 5 is repeated by run &#x27;a b5&#x27;",
        "Trial 9 failed: status 1.",
        "what it asks",
        "val/score, lower is better",
        "7 finished",
    ):
        assert part in page
    assert page.index('scope="row">5<') < page.index('scope="row">4<') < page.index('scope="row">9<'), "the best first"
    for loading in ("http://", "https://", "<script", "url(", "@import", " src="):
        assert loading not in page


def test_a_sweep_with_few_trials_leaves_out_what_they_cannot_show(tmp_path: Path) -> None:
    (tmp_path / "pareto.png").write_text("of before")
    write(FILE, Store(tmp_path), [trial(1)], [X])
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.html"]
    assert "Importance needs 6 trials" in (tmp_path / "sweep.html").read_text()
    write(SweepFile(Path("a.yaml"), "", {"method": "grid"}, 1), Store(tmp_path), [], [])
    assert "<h1>a</h1>" in (tmp_path / "sweep.html").read_text()


def test_trials_that_failed_do_not_compete_in_style_and_flicker() -> None:
    best = Trial(1, {}, state="finished", values={"val/style": 1.0, "val/flicker_ratio": 1.0})
    beaten = Trial(2, {}, state="stopped", values={"val/style": 1.0, "val/flicker_ratio": 2.0})
    failed = Trial(3, {}, state="failed", values={"val/style": 0.0, "val/flicker_ratio": 0.0})
    half = Trial(4, {}, state="finished", values={"val/style": 0.0})
    card = as_card([best, beaten, failed, half])
    assert [row.name for row in card.rows] == ["1", "2"]
    assert card.front == ["1"]
