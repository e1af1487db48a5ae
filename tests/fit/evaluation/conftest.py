"""A card with everything a card can have, without its files; a small run; a network of perceptual distances."""

from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from fit.cli import main
from fit.evaluation.card import Card, Column, Estimate, Row
from lightning_modules.metrics.lpips import LPIPS

COLUMNS = [
    Column("style", "style distance", "lower", "Gram distance from the paintings"),
    Column("r", "flicker ratio R", "lower", "of the output and the input"),
    Column("psnr", "PSNR", "higher", "decibels", 2),
    Column("e_warp", "E_warp", "neither", "<squared> & warped"),
]


def values(style: float | None, flicker: float | None, **others: float) -> dict[str, Estimate]:
    """Values with intervals of a tenth up and down."""
    found = {"style": style, "r": flicker, **others}
    return {key: Estimate(x, None if x is None else 0.9 * x, None if x is None else 1.1 * x) for key, x in found.items()}


@pytest.fixture
def judged() -> Card:
    rows = [
        Row("input", "input", values(0.486, 1.0), clips=[{"r": 1.0}] * 3, over_time=[0.001, 0.001, 0.002]),
        Row("blur", "control", values(0.5, 0.2), ["blurred"], [{"r": 0.2}] * 3, [0.0001] * 3),
        Row("frame-wise", "control", values(0.19, 14.2), [], [{"r": 9.0}, {"r": 20.0}, {"r": 14.0}], [0.02, None, 0.03]),
        Row(
            "A<b>|*&",
            "network",
            values(0.241, 3.1, psnr=24.31, e_warp=0.0012),
            clips=[{"r": 3.0}, {"r": 2.0}, {"r": 4.0}],
            over_time=[0.004, 0.003, 0.004],
            facts={"parameters": 1482115, "frames/s": 31.24},
        ),
        Row("B", "network", values(0.3, 4.0), facts={"step": 500}),
    ]
    return Card(
        "Title <script>",
        {"clips": 3, "command": "python -m fit.evaluate <x>"},
        COLUMNS,
        rows,
        ["one", "two", "three & more"],
        ["FID is left out: no weights."],
        axes=["style", "r"],
        front=["frame-wise", "A<b>|*&"],
    )


TINY = ["--card=0", "--data.size=[32,32]", "--data.frames=3", "--data.workers=0", "--data.clips=4", "--samples.clips=1"]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run, with a checkpoint of either of its two steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        cli = main([*TINY, "--model.steps=2", "--checkpoints.every=1", "--name=framewise", "--seed=3"])
        assert cli.folder is not None
        return cli.folder.absolute()


@pytest.fixture(scope="session")
def lpips(tmp_path_factory: pytest.TempPathFactory) -> LPIPS:
    """Of random weights."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.manual_seed(0)
    torch.save(squeezenet1_1().state_dict(), path)
    return LPIPS("squeeze", path)
