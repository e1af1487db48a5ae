import pytest

from fit.evaluation.plots.axis import Axis, axis_over


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.18, 0.52], ["0.2", "0.3", "0.4", "0.5"]),
        ([0.0012, 0.0031], ["0.0015", "0.0020", "0.0025", "0.0030"]),
        ([7.0, 96.0], ["20", "40", "60", "80", "100"]),
        ([-2.0, 2.0], ["-2", "-1", "0", "1", "2"]),
        ([0.2, 14.0], ["0.3", "1", "3", "10"]),
        ([1e-5, 3e-1], ["1e-05", "0.0001", "0.001", "0.01", "0.1"]),
        ([1.0, 21.0], ["1", "3", "10"]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(values: list[float], labels: list[str]) -> None:
    axis = axis_over(values, 0, 100)
    assert [axis.label(tick) for tick in axis.ticks()] == labels
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())


def test_all_values_lie_within_with_room_at_both_ends() -> None:
    for values in ([1.0, 2.0], [0.1, 100.0], [-3.0, 5.0], [4.0], [0.0], [0.0, 1e-9]):
        axis = axis_over(values, 10, 200)
        assert all(10 < axis.at(value) < 200 for value in values)
        assert axis.ticks()


def test_places_are_linear_or_logarithmic() -> None:
    assert [Axis(0, 10, 100, 200).at(value) for value in (0, 5, 10, 11)] == [100, 150, 200, 200]
    assert [Axis(0, 10, 200, 100).at(value) for value in (0, 5)] == [200, 150]
    assert Axis(0.1, 10, 0, 100, logarithmic=True).at(1) == pytest.approx(50)


def test_an_axis_may_begin_at_zero() -> None:
    assert axis_over([2.0, 5.0], 0, 1, zero=True).low == 0
    assert axis_over([2.0, 5.0], 0, 1).low < 2
    assert axis_over([-2.0, 5.0], 0, 1, zero=True).low < -2
    assert axis_over([0.001, 5.0], 0, 1, zero=True).logarithmic
    assert not axis_over([0.0, 5.0], 0, 1).logarithmic


def test_ticks_of_whole_numbers() -> None:
    assert Axis(1, 3, 0, 1, least=1).ticks() == [1, 2, 3]
    assert Axis(1, 3, 0, 1, least=1).label(2.0) == "2"
    assert Axis(1, 24, 0, 1, least=1).ticks() == [5, 10, 15, 20]
