import pytest

from fit.evaluation.columns import columns
from fit.evaluation.judge import Judge
from fit.evaluation.tools import Tools
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.lpips import LPIPS


def keys(cycle: bool = True, **options: object) -> list[str]:
    return [column.key for column in columns(Tools(RandomFeatures(), **options), cycle)]


def test_every_metric_has_a_column_and_every_column_a_metric() -> None:
    tools = Tools(RandomFeatures())
    assert {column.key for column in columns(tools, True)} == {
        *Judge(tools).metrics, "kernel", "warping_error", "long_warping_error"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"exact": False}, {"added_flicker"}),
        ({"gap": 1}, {"long_flicker_ratio", "long_warping_error"}),
        ({"cycle": False}, {"cycle_psnr", "cycle_ssim"}),
    ],
)
def test_what_has_no_meaning_is_left_out(options: dict[str, object], missing: set[str]) -> None:
    assert set(keys()) - set(keys(**options)) == missing


def test_names_the_features_and_the_gap() -> None:
    found = {column.key: column for column in columns(Tools(RandomFeatures(), gap=3), True)}
    assert "random features" in found["style"].about
    assert "random features" in found["kernel"].about
    assert found["long_flicker_ratio"].name == "R, gap 3"


def test_names_the_network_of_perceptual_distances(lpips: LPIPS) -> None:
    found = {column.key: column.about for column in columns(Tools(RandomFeatures(), lpips), True)}
    assert lpips.label in found["lpips"]
    assert lpips.label in found["temporal_lpips"]
