import re

import pytest

from fit.bench import main


def test_prints_clips_per_second(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--size", "64x96", "--clips", "2", "--repeats", "1"]) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("2 clips of 7x64x96, 1 times, CPU")
    assert [re.sub(r"\s+[\d.]+$", "", row) for row in rows] == [
        "flow (DIS), E_warp, R",
        "the same and tOF, tLP (AlexNet)",
        "all of a card, with random features",
        "all of a card, with VGG-19 and LPIPS (AlexNet)",
    ]
    assert all(float(row.split()[-1]) > 0 for row in rows)
