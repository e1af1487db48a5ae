import math

import pytest

from fit.evaluation.card import Column, Estimate, Fact, Row
from fit.evaluation.text import MISSING, cell, fact, heading, interval, number


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.2412, 3, "0.241"),
        (1.0, 3, "1.000"),
        (0.0, 3, "0.000"),
        (9.9996, 3, "10.000"),
        (24.312, 3, "24.31"),
        (24.312, 2, "24.3"),
        (150.123, 3, "150.1"),
        (123456.7, 3, "123457"),
        (-12.345, 3, "-12.35"),
        (0.00041, 3, "0.00041"),
        (-0.0000412, 3, "-4.1e-05"),
        (None, 3, MISSING),
        (math.nan, 3, MISSING),
        (-math.inf, 3, MISSING),
    ],
)
def test_numbers(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_an_interval_is_coarser_than_its_value_unless_its_ends_would_look_alike() -> None:
    assert interval(Estimate(0.241, 0.2213, 0.2591)) == "0.22–0.26"
    assert interval(Estimate(0.241, 0.2397, 0.2433)) == "0.240–0.243"
    assert interval(Estimate(-0.1, -0.25, 0.31), dash=" to ") == "-0.25 to 0.31"


@pytest.mark.parametrize("ends", [(None, None), (None, 1.0), (0.0, math.nan), (-math.inf, math.inf)])
def test_no_interval_without_both_ends(ends: tuple[float | None, float | None]) -> None:
    assert interval(Estimate(0.5, *ends)) == ""


def test_a_cell_is_a_value_and_its_interval() -> None:
    column = Column("r", "R", "lower", "")
    assert cell(Row("x", "network", {"r": Estimate(0.241, 0.22, 0.26)}), column) == "0.241 (0.22–0.26)"
    assert cell(Row("x", "network", {"r": Estimate(0.241)}), column) == "0.241"
    assert cell(Row("x", "network", {"r": Estimate(math.nan, 0.22, 0.26)}), column) == MISSING
    assert cell(Row("x", "network", {}), column) == MISSING


def test_headings_point_to_where_it_gets_better() -> None:
    assert [heading(Column("", "x", better, "")) for better in ("lower", "higher", "neither")] == ["x ↓", "x ↑", "x"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1482115, "1,482,115"), (31.239, "31.2"), (4.8712, "4.87"), (12345.6, "12,346"), ("a b", "a b"), (None, MISSING)],
)
def test_facts(value: Fact | None, text: str) -> None:
    assert fact(value) == text
