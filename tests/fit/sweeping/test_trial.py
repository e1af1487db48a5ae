from typing import get_args

from fit.sweeping.trial import State, Trial


def test_three_states_are_final() -> None:
    assert [state for state in get_args(State) if Trial(1, {}, state=state).final] == ["finished", "stopped", "failed"]


def test_folders_sort_as_numbers_do() -> None:
    names = [Trial(number, {}).name for number in (1, 2, 10, 100, 9999)]
    assert names == sorted(names)
