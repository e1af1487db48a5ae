import re

from fit.evaluation.card import Card
from fit.evaluation.markdown import facts_by_row, table


def grid(text: str, first: str) -> list[list[str]]:
    """The cells of the table that has this line's beginning, escapes undone."""
    lines = text[text.index(first) :].split("\n\n")[0].splitlines()
    return [
        [re.sub(r"\\(.)", r"\1", each.strip()) for each in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines
    ]


def test_the_table_has_all_values_with_intervals_and_directions(judged: Card) -> None:
    head, rule, *rows = grid(table(judged), "|  | style")
    assert head == ["", "style distance ↓", "flicker ratio R ↓", "PSNR ↑", "E_warp"]
    assert rule == ["---", "---:", "---:", "---:", "---:"]
    assert rows[0] == ["input", "0.486 (0.44–0.53)", "1.000 (0.90–1.10)", "–", "–"]
    assert rows[1][0] == "blur ⚠ blurred"
    assert rows[3] == ["A<b>|*&", "0.241 (0.22–0.27)", "3.100 (2.79–3.41)", "24.3 (22–27)", "0.0012 (0.0011–0.0013)"]
    assert {len(row) for row in rows} == {5}


def test_it_says_what_a_reader_has_to_know(judged: Card) -> None:
    text = table(judged)
    for line in (
        "# Title \\<script\\>",
        "- clips: 3",
        "- **Warning:** blur looks blurred",
        "- **flicker ratio R**: of the output and the input",
        "- FID is left out: no weights.",
    ):
        assert line in text.splitlines()
    assert "lower is better" in text
    assert "better in both style and flicker: frame-wise, A\\<b\\>\\|\\*\\&." in text
    assert not re.search(r"(?<!\\)<", text)  # no name becomes HTML


def test_cost_has_a_column_for_each_row_that_has_any(judged: Card) -> None:
    assert facts_by_row(judged)[0] == ["parameters", "frames/s", "step"]
    assert grid(table(judged), "|  | A")[2:] == [
        ["parameters", "1,482,115", "–"],
        ["frames/s", "31.2", "–"],
        ["step", "–", "500"],
    ]


def test_what_is_empty_is_left_out(judged: Card) -> None:
    text = table(Card("T", {}, judged.columns, judged.rows[:1], []))
    assert text.startswith("# T\n\n|  | style")
    for absent in ("Warning", "cost", "Notes", "No other"):
        assert absent not in text


def test_names_stay_in_their_line(judged: Card) -> None:
    assert table(Card("a\nb", {}, judged.columns, [], [])).startswith("# a b\n")
