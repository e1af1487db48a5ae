import pytest

from fit.sweeping.parameters import Parameter
from fit.sweeping.table import best, cells, duration, progress, ranked, short, table
from fit.sweeping.trial import State, Trial

LR = Parameter(("model", "lr"), [1e-5, 1e-1], discrete=False, logarithmic=True)


def trial(number: int, state: State, value: float | None = None, lr: float = 1e-3) -> Trial:
    return Trial(number, {"model": {"lr": lr}}, state=state, values={} if value is None else {"loss": value})


TRIALS = [
    trial(1, "failed", 0.0),
    trial(2, "finished", 0.3),
    trial(3, "stopped", 0.1),
    trial(4, "finished", 0.2),
    trial(5, "running"),
    trial(6, "waiting"),
]


def test_the_best_of_those_that_ran_to_their_end_comes_first() -> None:
    assert [each.number for each in ranked(TRIALS, "loss", maximize=False)] == [4, 2, 3, 5, 1, 6]
    assert [each.number for each in ranked(TRIALS, "loss", maximize=True)] == [2, 4, 3, 5, 1, 6]
    assert [each.number for each in ranked(TRIALS, None, maximize=False)] == [2, 4, 3, 5, 1, 6]


def test_there_is_no_best_without_a_value() -> None:
    found = best(TRIALS, "loss", maximize=False)
    assert found is not None
    assert found.number == 4
    assert best(TRIALS, None, maximize=False) is None
    assert best([trial(1, "failed", 0.0), trial(2, "running")], "loss", maximize=False) is None
    assert best([], "loss", maximize=False) is None


def test_a_line_has_what_the_trial_has() -> None:
    done = Trial(7, {"model": {"lr": 3e-5}}, state="finished", values={"loss": 0.12345, "val/style": 2.0}, step=50, steps=500)
    done.began, done.ended = 10.0, 85.0
    rows = cells([done, trial(8, "waiting", lr=0.5)], "loss", [LR])
    assert rows == [
        ["trial", "state", "loss", "val/style", "step", "time", "model.lr"],
        ["7", "finished", "0.123", "2.000", "50/500", "1:15", "3e-05"],
        ["8", "waiting", "-", "-", "-", "-", "0.5"],
    ]


def test_why_trials_failed_stands_below_the_table() -> None:
    failed = Trial(3, {}, state="failed", reason="killed by SIGKILL")
    assert table([failed], "loss", [])[-1] == "trial 3 failed: killed by SIGKILL"


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (None, "null"), (3, "3"), (1e-5, "1e-05"), (0.25, "0.25"), ("a b", "a b"), ([1, None], "[1, null]"),
     ({"a": "Ä"}, '{"a": "Ä"}'), ("x" * 30, "x" * 21 + "...")],
)  # fmt: skip
def test_values_as_a_person_reads_them(value: object, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(("time", "text"), [(None, "-"), (0.4, "0 s"), (59.6, "1:00"), (3600, "1:00:00"), (3725, "1:02:05")])
def test_times(time: float | None, text: str) -> None:
    assert duration(time) == text


def test_progress_without_a_known_length() -> None:
    assert progress(Trial(1, {}, step=3)) == "3"
