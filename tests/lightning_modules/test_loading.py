"""From a checkpoint back to a method that paints the same, however the method had been built."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn

from datamodules.batch import ClipBatch
from lightning_modules.checkpoint_file import CheckpointError
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator
from lightning_modules.loading import load_method
from lightning_modules.losses.perceptual import FeatureExtractor

Build = Callable[..., CycleGAN]
Train = Callable[..., Trainer]
Batches = Callable[..., list[ClipBatch]]


@pytest.fixture
def saved(cyclegan: Build, batches: Batches, train: Train, tmp_path: Path) -> Callable[..., tuple[CycleGAN, Path]]:
    """Trains for a batch, saves, and returns the method and its file."""

    def save(**options: Any) -> tuple[CycleGAN, Path]:
        method = cyclegan(**options)
        train(method, batches(1)).save_checkpoint(tmp_path / "method.ckpt")
        return method, tmp_path / "method.ckpt"

    return save


def clip(size: int = 16) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(4)) * 2 - 1


@pytest.mark.parametrize(
    "generator",
    [RealtimeGenerator, partial(RealtimeGenerator, 28, depth=1), lambda: RealtimeGenerator(24, depth=2)],
    ids=["class", "partial", "lambda"],
)
def test_paints_the_same_however_its_generator_was_given(generator: Any, saved: Callable[..., tuple[CycleGAN, Path]]) -> None:
    method, path = saved(generator=generator)
    loaded = load_method(path)
    assert isinstance(loaded, CycleGAN)
    assert not loaded.training
    assert loaded.stylizer().describe() == method.stylizer().describe()
    assert torch.equal(loaded.stylize(clip()), method.stylize(clip()))
    assert not torch.equal(loaded.stylize(clip()), method.to_style(clip()))  # the average, not the latest weights
    assert (loaded.generator_step, loaded.batches_seen) == (1, 1)


def test_every_option_comes_back(saved: Callable[..., tuple[CycleGAN, Path]]) -> None:
    options: dict[str, Any] = {
        "adversarial": "wasserstein",
        "penalty": "gradient",
        "betas": (0.0, 0.9),
        "n_critic": 1,
        "seed": 3,
    }
    options |= {
        "cycle_weight": 7.0,
        "clip": 2.0,
        "constant": 0.25,
        "steps": 12,
        "pool": 3,
        "image_critic": partial(PatchGAN, 8, 1, "layer"),
    }
    method, path = saved(temporal_critic=None, **options)
    loaded = load_method(path)
    assert isinstance(loaded, CycleGAN)
    described, again = method.describe()["init_args"], loaded.describe()["init_args"]
    plain = [name for name in described if name not in ("generator", "image_critic", "flow")]
    assert {name: again[name] for name in plain} == {name: described[name] for name in plain}
    assert loaded.style_critic.network.describe() == method.style_critic.network.describe()
    assert loaded.style_clip_critic is None


def test_lightning_loads_it_too(saved: Callable[..., tuple[CycleGAN, Path]]) -> None:
    method, path = saved(generator=lambda: RealtimeGenerator(24, 1))
    for weights_only in (None, True):
        loaded = CycleGAN.load_from_checkpoint(path, weights_only=weights_only)
        assert torch.equal(loaded.stylize(clip()), method.stylize(clip()))


def test_a_loaded_method_can_be_saved_and_loaded_again(
    saved: Callable[..., tuple[CycleGAN, Path]], train: Train, batches: Batches
) -> None:
    _, path = saved()
    again = load_method(path)
    train(again, batches(1)).save_checkpoint(path.with_name("again.ckpt"))
    assert load_method(path.with_name("again.ckpt")).generator_step == 2


def test_what_only_training_needs_may_be_gone(saved: Callable[..., tuple[CycleGAN, Path]], tmp_path: Path) -> None:
    weights = tmp_path / "vgg.pth"
    convolutions = {"0": nn.Conv2d(3, 64, 3), "2": nn.Conv2d(64, 64, 3)}
    torch.save({f"{k}.{name}": p.data for k, m in convolutions.items() for name, p in m.named_parameters()}, weights)
    extractor = partial(FeatureExtractor, layers=["relu1_1"], weights=str(weights))
    method, path = saved(extractor=extractor, gram_weight=1.0)
    weights.unlink()
    assert torch.equal(load_method(path).stylize(clip()), method.stylize(clip()))


def test_another_network_loads_as_itself(saved: Callable[..., tuple[CycleGAN, Path]]) -> None:
    method, path = saved(generator=partial(ResNetGenerator, channels=4, blocks=1))
    loaded = load_method(path)
    assert isinstance(loaded.stylizer(), ResNetGenerator)
    assert torch.equal(loaded.stylize(clip()), method.stylize(clip()))
    assert (loaded.size_multiple, loaded.min_size) == (method.size_multiple, method.min_size)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["state_dict"].pop("to_style.stem.weight"),
        lambda c: c["state_dict"].update({"to_style.stem.weight": torch.zeros(2)}),
        lambda c: c["hyper_parameters"].update({"no_such_option": 1}),
        lambda c: c["hyper_parameters"].update({"_class_path": "lightning_modules.nowhere.Method"}),
        lambda c: c["hyper_parameters"].update({"_class_path": "torch.nn.Linear"}),
    ],
    ids=["weight missing", "weight of another size", "unknown option", "unknown class", "foreign class"],
)
def test_what_does_not_fit_is_refused_in_one_line(
    change: Callable[[dict[str, Any]], object], saved: Callable[..., tuple[CycleGAN, Path]]
) -> None:
    _, path = saved()
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="expected weights and settings of") as caught:
        load_method(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("use the version of this package that wrote it")
