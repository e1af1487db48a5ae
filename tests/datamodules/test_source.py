from typing import Any


def test_a_source_shows_one_style_without_a_name_unless_it_says_otherwise(numbered: Any) -> None:
    source = numbered(3)
    assert source.styles == ("",)
    assert [source.style_id(index) for index in range(3)] == [0, 0, 0]
