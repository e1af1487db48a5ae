import math

import pytest
import torch
from torch import Tensor

from datamodules.batch import Clips
from fit.evaluation.clips import Judged
from fit.evaluation.judge import Judge
from fit.evaluation.tools import Tools
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.lpips import LPIPS
from lightning_modules.metrics.style_distance import gram_distance, mean_grams
from lightning_modules.metrics.warping_error import flicker_ratio, warping_error

FEATURES = RandomFeatures()


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def clip(number: int, frames: int = 4, side: int = 40) -> Judged:
    """Smooth content that stands still but for noise."""
    still = torch.nn.functional.interpolate(noise(number, 1, 3, 5, 5), size=(side, side), mode="bilinear")
    content, style = (still + 0.05 * noise(100 * k + number, frames, 3, side, side) for k in (1, 2))
    flow, visible = torch.zeros(1, frames - 1, 2, side, side), torch.ones(1, frames - 1, 1, side, side)
    far = torch.zeros(1, frames - 3, 2, side, side), torch.ones(1, frames - 3, 1, side, side)
    return Judged(number, f"clip {number}", content[None], (flow, visible), far, Clips(style[None], flow, visible))


def judged(paint: object, clips: int = 3, **options: object) -> tuple[Judge, list[dict[str, float]]]:
    judge = Judge(Tools(FEATURES, gap=3, **{"resamples": 20, **options}))
    for number in range(clips):
        judge.take_style(judge.tools.see(clip(number).style.frames[0]))
    return judge, [judge.see(paint(clip(number).content), clip(number)) for number in range(clips)]


def test_the_input_has_the_ratios_and_distances_of_itself(lpips: LPIPS) -> None:
    judge, alone = judged(lambda content: content, lpips=lpips)
    for values in ({key: found.value for key, found in judge.estimates().items()}, *alone):
        for key, expected in {
            "flicker_ratio": 1, "long_flicker_ratio": 1, "temporal_flow": 0, "temporal_lpips": 0, "ssim": 1, "lpips": 0
        }.items():  # fmt: skip
            assert values[key] == pytest.approx(expected, abs=1e-5), key


def test_values_are_those_of_the_metrics_over_all_clips() -> None:
    judge, _ = judged(lambda content: content.flip(-1) * 0.7)
    found, clips = judge.estimates(), [clip(number) for number in range(3)]
    content = torch.cat([one.content for one in clips])
    output, style = content.flip(-1) * 0.7, torch.cat([one.style.frames for one in clips])
    flow, visible = (torch.cat([one.motion[k] for one in clips]) for k in range(2))
    target = mean_grams([FEATURES(style)])
    assert found["style"].value == pytest.approx(float(gram_distance(mean_grams([FEATURES(output[:, 2])]), target)), rel=1e-5)
    assert found["flicker_ratio"].value == pytest.approx(float(flicker_ratio(output, content, flow, visible)), rel=1e-5)
    assert found["warping_error"].value == pytest.approx(float(warping_error(output, flow, visible)), rel=1e-5)
    far = (torch.cat([one.far[k] for one in clips]) for k in range(2))
    assert found["long_warping_error"].value == pytest.approx(float(warping_error(output, *far, gap=3)), rel=1e-5)
    added = float(flicker_ratio(output, content, flow, visible)) / float(flicker_ratio(style, content, flow, visible))
    assert found["added_flicker"].value == pytest.approx(added, rel=1e-5)


def test_values_have_intervals_around_them() -> None:
    judge, _ = judged(lambda content: content * 0.5 + 0.02 * noise(9, *content.shape), clips=6, resamples=200)
    for key, found in judge.estimates().items():
        if math.isfinite(found.value or math.nan):
            assert found.low <= found.value <= found.high, key


def test_a_clip_alone_has_its_own_values() -> None:
    judge, alone = judged(lambda content: content.sqrt().nan_to_num())
    one, _ = judged(lambda content: content.sqrt().nan_to_num(), clips=1)
    assert alone[0]["flicker_ratio"] == pytest.approx(one.estimates()["flicker_ratio"].value, rel=1e-6)
    assert alone[0]["ssim"] != alone[1]["ssim"]
    of_sets = {"kernel", "warping_error", "long_warping_error"}  # not of clips; see Seat
    assert {*alone[0], *of_sets} == set(judge.estimates())


def test_the_cycle_is_judged_where_there_is_one() -> None:
    judge = Judge(Tools(FEATURES, gap=3, resamples=2))
    one = clip(0)
    assert "cycle_psnr" not in judge.see(one.content, one)
    values = judge.see(one.content, one, one.content + 0.02)
    assert values["cycle_psnr"] == pytest.approx(10 * math.log10(1 / 0.01**2), rel=1e-3)
    assert values["cycle_ssim"] == pytest.approx(1, abs=0.01)


def test_a_constant_output_is_flagged_and_has_no_ratio() -> None:
    judge, _ = judged(torch.zeros_like)
    assert "constant" in judge.guards.flags()
    assert math.isnan(judge.estimates()["flicker_ratio"].value)
