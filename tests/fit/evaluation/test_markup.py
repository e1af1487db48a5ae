import pytest

from fit.evaluation.markup import Markup, joined, tag


def test_elements_nest_and_text_is_escaped() -> None:
    inner = tag("b", "<&>")
    assert tag("p", "a & ", inner, class_="x") == '<p class="x">a &amp; <b>&lt;&amp;&gt;</b></p>'
    assert joined(["<", Markup("<")]) == "&lt;<"
    assert tag("img", src='"') == '<img src="&quot;">'


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (False, ""), (True, " stroke-width"), (1.0, ' stroke-width="1"'), (1 / 3, ' stroke-width="0.33"')]
    + [(20.0, ' stroke-width="20"'), (7, ' stroke-width="7"'), ("", ' stroke-width=""')],
)
def test_attributes(value: str | float | bool | None, text: str) -> None:
    assert tag("i", stroke_width=value) == f"<i{text}></i>"
