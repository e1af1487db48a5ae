import pytest

from fit.sweeping import slots
from fit.sweeping.slots import share_out, visible


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(slots, "cores", lambda: 16)
    return monkeypatch


def having(patch: pytest.MonkeyPatch, count: int) -> None:
    patch.setattr("torch.cuda.device_count", lambda: count)


@pytest.mark.parametrize(
    ("count", "parallel", "needed", "expected"),
    [
        (4, 2, 1, ["0,1", "2,3"]),
        (4, 2, 2, ["0,1", "2,3"]),
        (8, 3, 2, ["0,1", "2,3,4", "5,6,7"]),
        (3, 3, 1, ["0", "1", "2"]),
        (2, 3, 1, ["0", "1", "0"]),
        (3, 2, 2, ["0,1,2", "0,1,2"]),
        (0, 2, 2, [None, None]),
        (4, 2, 0, [None, None]),
        (4, 1, 2, [None]),
    ],
)
def test_each_slot_has_the_gpus_its_trials_need(
    gpus: pytest.MonkeyPatch, count: int, parallel: int, needed: int, expected: list[str | None]
) -> None:
    having(gpus, count)
    found = share_out(parallel, needed)
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in found.environments] == expected
    shared = len(set(expected)) < len(expected) and expected[0] is not None
    assert bool(found.note) == shared
    if shared:
        assert found.note == f"{parallel} trials at a time share {count} GPUs"


def test_more_gpus_than_there_are_is_refused(gpus: pytest.MonkeyPatch) -> None:
    having(gpus, 1)
    with pytest.raises(ValueError, match="expected at most 1, the GPUs that are visible here, got 2"):
        share_out(1, 2)


def test_gpus_keep_the_names_they_were_given(gpus: pytest.MonkeyPatch) -> None:
    gpus.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, 5")
    having(gpus, 2)
    assert visible() == ["GPU-a", "5"]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in share_out(2, 1).environments] == ["GPU-a", "5"]


@pytest.mark.parametrize(("parallel", "needed", "threads"), [(1, 1, None), (2, 1, "8"), (2, 2, "4"), (3, 0, "5"), (40, 1, "1")])
def test_cores_are_shared_out_among_processes(
    gpus: pytest.MonkeyPatch, parallel: int, needed: int, threads: str | None
) -> None:
    having(gpus, 0)
    assert {each.get("OMP_NUM_THREADS") for each in share_out(parallel, needed).environments} == {threads}
    gpus.setenv("OMP_NUM_THREADS", "7")
    assert {each.get("OMP_NUM_THREADS") for each in share_out(parallel, needed).environments} == {None}, "a person has said so"
