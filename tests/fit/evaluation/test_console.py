from dataclasses import replace

from fit.evaluation.card import Card, Column, Estimate, Row
from fit.evaluation.console import WIDTH, table


def test_values_stand_under_the_words_of_their_heading(judged: Card) -> None:
    lines = table(judged).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["flicker"],
        ["style", "ratio"],
        ["distance", "R", "PSNR", "E_warp"],
    ]
    assert lines[3].split() == ["better", "lower", "lower", "higher"]
    assert lines[4].split() == ["input", "0.486", "(0.44..0.53)", "1.000", "(0.90..1.10)", "-", "-"]
    column = lines[2].index("distance") + len("distance")
    assert lines[3][:column].endswith("lower")
    assert lines[4][:column].endswith("(0.44..0.53)")
    assert lines[7].startswith("A<b>|*&   ")
    assert lines[9:] == ["warning: blur looks blurred", "no other is better in both style and flicker: frame-wise, A<b>|*&"]


def test_intervals_are_left_out_where_they_do_not_fit(judged: Card) -> None:
    columns = [Column(f"r{number}", "R", "lower", "") for number in range(8)]
    row = Row("x" * 60, "network", {column.key: Estimate(0.5, 0.4, 0.6) for column in columns})
    wide = table(Card("", {}, columns, [row], [])).splitlines()
    assert max(map(len, wide)) <= WIDTH
    assert wide[-1].split() == ["x" * 20 + "…" + "x" * 19] + ["0.500"] * 8
    narrow = table(Card("", {}, columns[:3], [replace(row, name="x")], [])).splitlines()
    assert narrow[-1].split() == ["x"] + ["0.500", "(0.40..0.60)"] * 3


def test_a_card_without_columns_or_rows() -> None:
    assert table(Card("", {}, [], [], [])) == "better"


def test_nothing_beyond_ascii_of_its_own(judged: Card) -> None:
    assert table(judged).isascii()
