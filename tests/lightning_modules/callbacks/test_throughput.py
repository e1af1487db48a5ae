import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import lightning_modules.callbacks.throughput as throughput
from datamodules.batch import ClipBatch, Clips, Failure
from lightning_modules.callbacks.throughput import Throughput


def test_rates_and_share_follow_from_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each of five batches of 3 clips on 2 devices waits 1 s and works 3 s; a generator step takes two batches.
    logged: dict[str, float] = {}
    now = 100.0
    monkeypatch.setattr(throughput, "perf_counter", lambda: now)
    options: list[dict[str, Any]] = []

    def log(name: str, value: float, **how: Any) -> None:
        logged[name] = value
        options.append(how)

    method: Any = SimpleNamespace(generator_step=0, batches_seen=0, log_dict=logged.update, log=log)
    loader = SimpleNamespace(waited=7.0)
    trainer: Any = SimpleNamespace(world_size=2, train_dataloader=loader)
    clips, failure = Clips(torch.zeros(3, 1, 3, 1, 1)), Failure("style", 1, 9, "a.png", "gone")
    callback = Throughput()
    callback.on_train_start(trainer, method)
    for number in range(5):
        now += 4
        loader.waited += 1
        method.batches_seen, method.generator_step, method.row_due = number, number // 2, number == 4
        batch = ClipBatch(clips, clips, failed=(failure,) * (number % 3))
        callback.on_train_batch_end(trainer, method, None, batch, number % 2)  # epochs of two
    # Measured from the end of batch 0 to the end of batch 4: 16 s, 4 batches, 24 clips, 2 steps, 4 s of waiting.
    assert logged == {
        "throughput/steps_per_second": 2 / 16,
        "throughput/clips_per_second": 24 / 16,
        "throughput/waiting": 4 / 16,
        "data/replaced": 0 + 1 + 2 + 0 + 1,
    }
    assert options == [{"sync_dist": True, "reduce_fx": "sum"}]


def test_a_run_logs_shares_and_rates(train: Any) -> None:
    trainer = train(Throughput(), steps=8, every=4)  # longer than an epoch, which has three batches
    with (Path(str(trainer.log_dir)) / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert 0 <= float(last["throughput/waiting"]) <= 1
    assert float(last["throughput/clips_per_second"]) == pytest.approx(float(last["throughput/steps_per_second"]))
    assert float(last["data/replaced"]) == 0


def test_clips_replaced_are_counted_over_resumes() -> None:
    before, after = Throughput(), Throughput()
    before.replaced = 3
    after.load_state_dict(before.state_dict())
    assert after.replaced == 3
