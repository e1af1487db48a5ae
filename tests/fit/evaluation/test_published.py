from functools import partial
from types import SimpleNamespace

import pytest
import torch

from fit.evaluation import published
from fit.evaluation.published import Published
from fit.evaluation.tools import Seen, Tools
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.frechet import frechet_distance

TOOLS = Tools(RandomFeatures(), resamples=5)


FEW = 64  # in place of 2048, whose eigenvalues take seconds


@pytest.fixture(autouse=True)
def few_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "FEATURES", FEW)
    monkeypatch.setattr(published, "frechet_distance", partial(frechet_distance, FEW))


def features(seed: int, count: int = 4) -> torch.Tensor:
    return torch.rand(count, FEW, generator=torch.Generator().manual_seed(seed))


def filled(inception: bool = True, art: bool = True) -> Published:
    made = Published(TOOLS)
    for real, seeds in ((True, (1, 2)), (False, (3, 4))):
        one, other = map(features, seeds)
        made.update(Seen([], one if inception else None, other if art else None), real, None if real else [0, 0, 1, 1])
    return made


def distance(style: int, painted: int) -> float:
    metric = frechet_distance(FEW)
    metric.update(features(style), real=True)
    metric.update(features(painted), real=False)
    return float(metric.compute())


def test_each_comes_from_its_own_network() -> None:
    found = filled().estimates(0.5)
    assert found["fid"].value == pytest.approx(distance(1, 3), rel=1e-6)
    assert found["art_fid"].value == pytest.approx(1.5 * (1 + distance(2, 4)), rel=1e-6)
    assert found["kid"].low is not None


@pytest.mark.parametrize(
    ("given", "lpips", "keys"),
    [
        ({"inception": False}, 0.5, {"art_fid"}),
        ({"art": False}, 0.5, {"fid", "kid"}),
        ({}, None, {"fid", "kid"}),
        ({"inception": False, "art": False}, 0.5, set()),
    ],
)
def test_what_cannot_be_had_is_left_out(given: dict[str, bool], lpips: float | None, keys: set[str]) -> None:
    assert set(filled(**given).estimates(lpips)) == keys


@pytest.mark.parametrize(("label", "published"), [("LPIPS (alex)", True), ("LPIPS (alex, weights of x)", False), (None, False)])
def test_artfid_asks_for_the_published_lpips(label: str | None, published: bool) -> None:
    lpips = label and SimpleNamespace(label=label)
    assert Tools(RandomFeatures(), lpips).published_lpips is published  # type: ignore[arg-type]
