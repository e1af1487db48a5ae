import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import lightning_modules.callbacks.throughput as throughput
from datamodules.batch import ClipBatch, Clips
from lightning_modules.callbacks.throughput import Throughput


def test_rates_and_share_follow_from_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each of five batches of 3 clips on 2 devices waits 1 s and works 3 s; a generator step takes two batches.
    clock = iter(float(second) for batch in range(5) for second in (4 * batch + 1, 4 * batch + 4))
    monkeypatch.setattr(throughput, "perf_counter", lambda: next(clock))
    logged: list[dict[str, float]] = []
    method: Any = SimpleNamespace(generator_step=0, log_dict=logged.append)
    trainer: Any = SimpleNamespace(world_size=2)
    clips = Clips(torch.zeros(3, 1, 3, 1, 1))
    callback = Throughput(every=5)
    callback.on_train_start(trainer, method)
    next(clock)  # before the first batch nothing is measured, nor is the clock read
    for batch in range(5):
        if batch:
            callback.on_train_batch_start(trainer, method, None, batch)
        method.generator_step = batch // 2
        callback.on_train_batch_end(trainer, method, None, ClipBatch(clips, clips), batch)
    # Measured from the end of batch 0 to the end of batch 4: 16 s, 4 batches, 24 clips, 2 steps, 4 s of waiting.
    assert logged == [
        {
            "throughput/steps_per_second": 2 / 16,
            "throughput/clips_per_second": 24 / 16,
            "throughput/waiting": 4 / 16,
        }
    ]


def test_a_run_logs_shares_and_rates(train: Any) -> None:
    trainer = train(Throughput(every=2), steps=6)
    with (Path(str(trainer.log_dir)) / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert 0 <= float(last["throughput/waiting"]) <= 1
    assert float(last["throughput/clips_per_second"]) == pytest.approx(float(last["throughput/steps_per_second"]))
