"""The count of cores."""

import os

import pytest

from datamodules.cores import cores


def test_counts_the_cores_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert cores() == 3


@pytest.mark.parametrize(("known", "expected"), [(8, 8), (None, 1)])
def test_counts_all_where_a_process_cannot_be_bound(known: int | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: known)
    assert cores() == expected
