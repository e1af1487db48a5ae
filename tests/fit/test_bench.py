"""The commands of the benchmark."""

import pytest

from fit import bench


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["step", "--size", "30"], "multiples of 4"),
        (["step", "--repeats", "0"], "--repeats: expected at least 1, got 0"),
        (["options", "--size", "30"], "multiples of 4"),
        (["options", "--repeats", "0"], "--repeats: expected at least 1, got 0"),
        (["layout", "--repeats", "0"], "--repeats: expected at least 1, got 0"),
        (["step", "--repeats", "1.5"], "--repeats: expected at least 1, got 1.5"),
        (["step", "--repeats", "-1"], "--repeats: expected at least 1, got -1"),
        (["step", "--sise", "32"], "there is no option --sise"),
        (["data", "--clips", "1"], "--clips: expected at least 2, got 1"),
        (["data", "--rounds", "0"], "--rounds: expected at least 1, got 0"),
        (["data", "--steps", "1"], "--steps: expected at least 2, got 1"),
        (["data", "--root", "absent"], "absent: expected"),
        ([], "COMMAND"),
    ],
)
def test_mistakes_are_one_line(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        bench.main(options)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
