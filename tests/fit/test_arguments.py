import argparse

import pytest

from fit.arguments import Parser, at_least, size


@pytest.fixture
def parser() -> Parser:
    made = Parser(prog="try")
    made.add_argument("--count", type=at_least(2))
    return made


def said(parser: Parser, *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        parser.parse_args(words)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_names_the_option_that_was_meant(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(parser, "--cuont", "3", capsys=capsys) == "error: there is no option --cuont; did you mean --count?"
    assert said(parser, "--zzz", capsys=capsys) == "error: there is no option --zzz; see --help"


@pytest.mark.parametrize("text", ["1", "-3", "two", ""])
def test_at_least_refuses_less(parser: Parser, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"expected at least 2, got {text}".strip() in said(parser, f"--count={text}", capsys=capsys)


def test_at_least_takes_the_bound(parser: Parser) -> None:
    assert parser.parse_args(["--count", "2"]) == argparse.Namespace(count=2)


def test_a_size_is_height_and_width() -> None:
    assert size("256x448") == (256, 448)
    for text in ("256", "0x4", "4x", "axb"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected HEIGHTxWIDTH, such as 256x448, got {text}"):
            size(text)
