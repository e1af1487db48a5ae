"""LPIPS: against torchmetrics' own with the same weights put in, and what its label may claim."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchmetrics.functional.image import lpips as theirs
from torchvision import models

from lightning_modules.metrics.lpips import LPIPS, LearnedSimilarity, clip_lpips

Weights = Callable[[str], Path]
NETS = {"alex": models.alexnet, "vgg": models.vgg16, "squeeze": models.squeezenet1_1}


def frames(seed: int, count: int = 2, height: int = 48, width: int = 40) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def torchmetrics_lpips(monkeypatch: pytest.MonkeyPatch, net: str, weights: Path, a: Tensor, b: Tensor) -> Tensor:
    """What torchmetrics computes with a classifier of ours."""

    def features(name: str, pretrained: bool = False) -> nn.Sequential:
        assert name == NETS[net].__name__
        with torch.device("meta"):
            empty = NETS[net]().features
        empty.load_state_dict({k.removeprefix("features."): v for k, v in torch.load(weights).items()}, assign=True)
        return empty

    monkeypatch.setattr(theirs, "_get_tv_model_features", features)
    return theirs.learned_perceptual_image_patch_similarity(a, b, net, reduction="none")


@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
def test_equals_torchmetrics(net: str, random_weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    lpips = LPIPS(net, random_weights(net))
    expected = torchmetrics_lpips(monkeypatch, net, random_weights(net), frames(1), frames(2))
    torch.testing.assert_close(lpips(frames(1), frames(2)), expected, rtol=1e-5, atol=0)
    assert (expected > 0.01).all()
    assert expected[0] != expected[1]
    assert (lpips(frames(1), frames(1)) == 0).all()


def test_equals_torchmetrics_where_features_are_faint(
    random_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The normalisation leaves activations near 0 small, which decides in dark and flat places.
    state = torch.load(random_weights("squeeze"))
    torch.save(
        {key: 3e-3 * value if "bias" in key or key == "0.weight" else value for key, value in state.items()}, tmp_path / "f"
    )
    expected = torchmetrics_lpips(monkeypatch, "squeeze", tmp_path / "f", frames(1), frames(2))
    torch.testing.assert_close(LPIPS("squeeze", tmp_path / "f")(frames(1), frames(2)), expected, rtol=1e-5, atol=0)


@pytest.mark.shared
def test_equals_torchmetrics_with_real_weights(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = shared / "weights" / "squeezenet1_1_imagenet_features.pth"
    names = ("content/dog1.jpg", "styles/candy.jpg")
    a, b = (
        torch.from_numpy(np.array(Image.open(shared / name).convert("RGB").resize((96, 64)))).movedim(-1, 0)[None] / 127.5 - 1
        for name in names
    )
    lpips = LPIPS("squeeze", weights)
    expected = torchmetrics_lpips(monkeypatch, "squeeze", weights, a, b)
    torch.testing.assert_close(lpips(a, b), expected.reshape(1), rtol=1e-5, atol=0)
    slight = (a + 0.05 * torch.randn(a.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    assert lpips(a, slight) < 0.5 * lpips(a, b)


@pytest.mark.shared
@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
def test_fitted_weights_are_the_authors(net: str, shared: Path, random_weights: Weights) -> None:
    published = torch.load(shared / "weights" / f"lpips_v0.1_{net}.pth", map_location="cpu", weights_only=True)
    heads = [head.weight for head in LPIPS(net, random_weights(net)).heads]
    assert len(heads) == len(published)
    assert all(torch.equal(head, published[f"lin{layer}.model.1.weight"]) for layer, head in enumerate(heads))


def test_whole_state_dicts_do_as_well(random_weights: Weights, tmp_path: Path) -> None:
    state = torch.load(random_weights("squeeze"))
    whole = {f"features.{key}": value for key, value in state.items()} | {"classifier.1.weight": torch.zeros(10, 512, 1, 1)}
    torch.save(whole, tmp_path / "whole.pth")
    ours = [LPIPS("squeeze", path)(frames(1), frames(2)) for path in (tmp_path / "whole.pth", random_weights("squeeze"))]
    assert torch.equal(*ours)


def test_the_label_says_whose_weights_look(random_weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LPIPS("squeeze", random_weights("squeeze")).label == "LPIPS (squeeze, weights of squeeze.pth)"
    state = torch.load(random_weights("alex"))
    monkeypatch.setattr("lightning_modules.metrics.lpips.read_weights", lambda published, path: state)
    published = LPIPS()
    assert published.label == "LPIPS (alex)"
    assert LearnedSimilarity(published).label == "LPIPS (alex)"


def test_is_frozen_saved_nowhere_and_draws_no_random_numbers(random_weights: Weights) -> None:
    before = torch.random.get_rng_state()
    metric = LearnedSimilarity(LPIPS("squeeze", random_weights("squeeze")))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not list(metric.parameters())
    assert not metric.state_dict()


def test_half_precision_is_judged_in_full(random_weights: Weights) -> None:
    lpips = LPIPS("squeeze", random_weights("squeeze"))
    a, b = frames(1).bfloat16(), frames(2).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = lpips(a, b)
    assert torch.equal(found, lpips(a.float(), b.float()))


def test_metric_is_the_mean_over_frames_and_clips(random_weights: Weights) -> None:
    lpips = LPIPS("squeeze", random_weights("squeeze"))
    output, content = (frames(seed, 6).reshape(3, 2, 3, 48, 40) for seed in (1, 2))
    single = torch.tensor([[lpips(output[b, t : t + 1], content[b, t : t + 1]).item() for t in (0, 1)] for b in range(3)])
    torch.testing.assert_close(clip_lpips(output, content, lpips).float(), single.mean(1))
    for size in (1, 2, 3):
        metric = LearnedSimilarity(lpips)
        for ours, theirs_ in zip(output.split(size), content.split(size), strict=True):
            metric.update(ours, theirs_)
        assert metric.compute().item() == pytest.approx(single.mean().item(), rel=1e-5)
    same = LearnedSimilarity(lpips)
    same.update(content, content)
    assert same.compute() == 0


def test_numbers_name_the_clips(random_weights: Weights) -> None:
    metrics = [LearnedSimilarity(LPIPS("squeeze", random_weights("squeeze")), resamples=4, seed=2) for _ in range(2)]
    output, content = frames(1)[:, None], frames(2)[:, None]
    metrics[0].update(output, content, [4, 5])
    for i in (1, 0):
        metrics[1].update(output[i : i + 1], content[i : i + 1], [4 + i])
    torch.testing.assert_close(metrics[0].sums, metrics[1].sums, rtol=1e-5, atol=0)
    assert (metrics[0].resamples, metrics[0].seed) == (4, 2)


def test_refusals(random_weights: Weights) -> None:
    with pytest.raises(ValueError, match="net: expected one of alex, vgg, squeeze, got 'resnet'; choose one"):
        LPIPS("resnet")
    with pytest.raises(ValueError, match="expected the weights of torchvision's alexnet, got others") as caught:
        LPIPS("alex", random_weights("squeeze"))
    assert "\n" not in str(caught.value)
    lpips = LPIPS("squeeze", random_weights("squeeze"))
    assert lpips(frames(1, height=32, width=32), frames(2, height=32, width=32)).isfinite().all()
    with pytest.raises(ValueError, match=r"sides from 32 pixels, got \(2, 3, 31, 40\)"):
        lpips(frames(1, height=31), frames(2, height=31))
    with pytest.raises(ValueError, match="of one shape, got"):
        LearnedSimilarity(lpips).update(frames(1)[None], frames(2)[None, :1])
