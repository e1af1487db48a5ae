"""When alarms measure, judge and speak, on methods whose numbers are chosen."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor

from datamodules.batch import ClipBatch, Clips
from lightning_modules.callbacks import alarms as module
from lightning_modules.callbacks.alarms import CERTAINTY, PATIENCE, RULES, Alarms

WARM_UP_OF_RUNS, WARM_UP = module.WARM_UP, 6
ENOUGH = WARM_UP + PATIENCE


@pytest.fixture(autouse=True)
def young_for_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WARM_UP", WARM_UP)


class Run:
    """A run of one method that copies its content, until told otherwise; ``step`` trains on one batch."""

    def __init__(self, alarms: Alarms, devices: int = 1, rank: int = 0, start: int = 0, **metrics: float) -> None:
        self.alarms, self.metrics, self.logged = alarms, metrics, []
        self.paint: Callable[[Tensor], Tensor] = lambda content: content
        self.critics: dict[str, float] = {}
        self.frames = 2
        self.method: Any = SimpleNamespace(
            generator_step=start, batches_seen=start, accumulate=1, n_critic=1, skips={}, blame={}, slowed=1.0,
            stylize=lambda frames: self.paint(frames), undecided=lambda: self.critics,
            log=lambda name, value, **_: None, log_dict=lambda values, **_: self.logged.append(values),
        )  # fmt: skip
        reduce = SimpleNamespace(reduce=lambda sums, reduce_op: sums * devices)
        self.trainer: Any = SimpleNamespace(strategy=reduce, is_global_zero=rank == 0)

    def step(self, count: int = 1, **skips: int) -> "Run":
        for _ in range(count):
            self.method.skips = {**self.method.skips, **skips}
            self.method.blame = {side: f"{side}: a term" for side in skips}
            self.trainer.callback_metrics = {name: torch.tensor(value) for name, value in self.metrics.items()}
            clips = Clips(torch.rand(1, self.frames, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1)
            self.alarms.on_train_batch_end(self.trainer, self.method, None, ClipBatch(clips, clips), 0)
            method = self.method
            method.batches_seen += 1
            method.generator_step += method.batches_seen % (method.accumulate * method.n_critic) == 0
        return self


def warned(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_warns_after_enough_ill_checks_in_a_row_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    enough = WARM_UP + 2 * PATIENCE
    run = Run(Alarms(every=2)).step(enough - 1)
    assert warned(capsys) == []
    run.step()
    (line,) = warned(capsys)
    assert (
        line == f"warning: step {enough}: the output hardly differs from the input (0, limit 0.01); " + RULES["change"].advice
    )
    run.step(10)
    assert warned(capsys) == []


def test_a_healthy_check_starts_the_count_anew(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=1)).step(WARM_UP + PATIENCE - 1)
    run.paint = lambda content: 0.8 * content
    run.step()
    run.paint = lambda content: content
    run.step(PATIENCE - 1)
    assert warned(capsys) == []
    run.step()
    assert len(warned(capsys)) == 1


def test_what_was_seen_and_said_outlives_a_resume(capsys: pytest.CaptureFixture[str]) -> None:
    def resumed(alarms: Alarms) -> Alarms:
        again = Alarms(every=1)
        again.load_state_dict(alarms.state_dict())
        return again

    first = Run(Alarms(every=1)).step(ENOUGH - 1, critics=1).alarms
    assert len(warned(capsys)) == 1  # of the update left out
    second = Run(resumed(first), start=ENOUGH - 1).step(1, critics=2).alarms
    (line,) = warned(capsys)
    assert "hardly differs" in line
    assert second.skipped == 2
    Run(resumed(second), start=ENOUGH).step(5)
    assert warned(capsys) == []


def test_measures_once_every_so_many_generator_steps(capsys: pytest.CaptureFixture[str]) -> None:
    run, measured = Run(Alarms(every=2)), []
    run.method.accumulate, run.method.n_critic = 2, 3
    run.paint = lambda content: measured.append(run.method.batches_seen + 1) or content
    run.step(25)
    assert measured == [12, 24]


def test_numbers_are_those_of_all_devices() -> None:
    one, two = (Run(Alarms(every=1), devices, **{"throughput/waiting": 0.25}).step() for devices in (1, 2))
    assert one.logged == two.logged
    assert one.logged[0] == pytest.approx(
        {
            f"alarm/{name}": value
            for name, value in (("change", 0), ("contrast", 1), ("tone", 1), ("checkerboard", 0), ("motion", 1))
        },
        abs=1e-6,
    )


def test_what_cannot_be_measured_is_not_logged_nor_judged(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=1))
    run.frames, run.paint = 1, lambda content: 0.8 * content
    run.step(ENOUGH)
    assert all("alarm/motion" not in values for values in run.logged)
    assert warned(capsys) == []


def test_other_ranks_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=1), rank=1).step(ENOUGH, critics=1)
    assert warned(capsys) == []
    assert set(run.alarms.said) == {"change", "skipped"}


def test_certainty_is_what_is_left_of_an_undecided_critics_loss(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=1), **{"train/d": 0.08, "train/e": 2.0})
    run.critics, run.paint = {"d": 2.0, "e": 0.5, "not trained yet": 2.0}, lambda content: 0.8 * content
    run.step(ENOUGH)
    assert run.logged[0]["alarm/certainty_d"] == pytest.approx(0.96)
    assert run.logged[0]["alarm/certainty_e"] == pytest.approx(-3)
    (line,) = warned(capsys)
    assert f"{CERTAINTY.seen} (0.96, limit 0.95); " in line
    assert run.alarms.said == ["certainty_d"]


def test_waiting_is_judged_once_a_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=1), **{"throughput/waiting": 0.9})
    run.paint = lambda content: 0.8 * content
    run.step(WARM_UP + 10)
    for waiting in (0.91, 0.92):
        run.metrics["throughput/waiting"] = waiting
        assert warned(capsys) == []
        run.step(2)
    run.metrics["throughput/waiting"] = 0.93
    run.step()
    (line,) = warned(capsys)
    assert "training waits for data more than it computes (0.93, limit 0.5)" in line
    assert not any("alarm/waiting" in values for values in run.logged)  # it is throughput/waiting


def test_left_out_updates_are_counted_over_all_sides(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=100, max_skipped=3)).step(1, critics=1).step(1, critics=2, generators=1).step(1, critics=0)
    run.step(1, critics=1).step(1, critics=0, generators=0)
    assert run.alarms.skipped == 4
    (line,) = warned(capsys)
    assert line.startswith("warning: step 1: an update was left out, because a gradient was not finite: critics: a term; ")
    assert "--alarms.nonfinite back_off" in line
    assert run.method.slowed == 1
    run.step(1, generators=1).step(1, generators=2)
    with pytest.raises(
        ValueError, match=r"step 8: 3 updates of the generators in a row were left out, because .*: a term; resume"
    ):
        run.step(1, generators=3)


def test_backing_off_halves_the_rates_at_each(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(Alarms(every=100, nonfinite="back_off")).step(1, critics=1).step(1, critics=0).step(1, critics=1, generators=1)
    assert run.method.slowed == 1 / 8
    assert "back_off" not in warned(capsys)[0]


@pytest.mark.parametrize("options", [{"every": 0}, {"max_skipped": 0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="alarms: expected every >= 1 and max_skipped >= 1, got"):
        Alarms(**options)


def test_a_warm_up_is_longer_than_the_first_swings_of_healthy_runs() -> None:
    assert Run(Alarms(every=1)).step(ENOUGH).alarms.said == ["change"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WARM_UP", WARM_UP_OF_RUNS)
        assert Run(Alarms(every=1)).step(40).alarms.said == []


def test_rules_hold_on_one_side_of_their_limit() -> None:
    for rule in (*RULES.values(), CERTAINTY):
        worse = 1 if rule.beyond == "above" else -1
        assert rule.broken(rule.limit + worse * 0.01)
        assert not rule.broken(rule.limit - worse * 0.01)


def test_a_run_logs_the_numbers_and_saves_the_state(train: Any, tmp_path: Path) -> None:
    trainer: Trainer = train(Alarms(every=2), steps=4)
    with (Path(str(trainer.log_dir)) / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["alarm/skipped"] for row in rows] == ["0.0"] * 4
    assert not rows[0]["alarm/change"]
    assert float(rows[1]["alarm/change"]) > 0
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    (state,) = torch.load(tmp_path / "x.ckpt", weights_only=True)["callbacks"].values()
    assert state == {"skipped": 0, "ill": {}, "said": []}
