"""Losses on the features of a pretrained classifier (Gatys et al. 2016, Johnson et al. 2016).

Optional and off by default: nothing else here needs pretrained weights.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torchvision.models import SqueezeNet1_1_Weights, VGG19_Weights, squeezenet1_1

from lightning_modules.ops.pretrained import Frozen, read_weights
from lightning_modules.ops.statistics import clip_mean, full_precision, gram

Network = Literal["vgg19", "squeezenet1_1"]

_VGG_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels, convolutions
_VGG = [(f"{block}_{i + 1}", channels) for block, (channels, count) in enumerate(_VGG_BLOCKS, 1) for i in range(count)]
_SQUEEZENET = ["conv1", "relu1", "pool1", "fire2", "fire3", "pool3", "fire4", "fire5", "pool5"]
_SQUEEZENET += ["fire6", "fire7", "fire8", "fire9"]
_NAMES = {"vgg19": "VGG-19", "squeezenet1_1": "SqueezeNet 1.1"}
_DEFAULT_LAYERS = {"vgg19": ("relu1_1", "relu2_1", "relu3_1"), "squeezenet1_1": ("relu1", "fire3", "fire5")}


class FeatureExtractor(Frozen):
    """Activations of a classifier's layers, which ``label`` names; its weights are neither trained nor saved.

    Args:
        network: whose features.
        layers: VGG-19: ``relu1_1`` to ``relu5_4``; SqueezeNet 1.1: ``relu1`` and ``fire2`` to ``fire9``. By default three
            of the early ones, down to a quarter of the size.
        weights: a state dict in torchvision's layout, or for VGG-19 in that of the "normalised" network of Gatys et al. (a
            1x1 colour convolution under key 0; it pads by reflection); need not go deeper than ``layers``. By default
            torchvision's, from its cache or downloaded.

    Raises:
        ValueError: an unknown network or layer, or weights that cannot be had or do not fit.
    """

    def __init__(
        self, network: Network = "vgg19", layers: Sequence[str] | None = None, weights: str | Path | None = None
    ) -> None:
        super().__init__()
        if network not in get_args(Network):
            raise ValueError(f"network: expected one of {', '.join(get_args(Network))}, got {network!r}; choose one")
        self.wanted = tuple(layers or _DEFAULT_LAYERS[network])
        self.colour, stages = _vgg19(weights) if network == "vgg19" else _squeezenet(weights)
        missing = [name for name in self.wanted if name not in stages]
        if missing:
            raise ValueError(f"layers: expected some of {', '.join(stages)}, got {', '.join(missing)}; choose from these")
        deepest = max(list(stages).index(name) for name in self.wanted)
        self.stages = nn.Sequential(OrderedDict(list(stages.items())[: deepest + 1]))
        self.label = f"{_NAMES[network]} {', '.join(self.wanted)}"
        if network == "vgg19" and self.stages[0].padding_mode == "reflect":
            self.label = f"normalised {self.label}"
        self.freeze()

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Activations ``(N, C, h, w)`` in the order of ``layers``.

        Args:
            frames: ``(..., 3, H, W)`` in [-1, 1]; all leading sizes together are N.
        """
        features = self.colour((frames.reshape(-1, *frames.shape[-3:]) + 1) / 2)
        found: dict[str, Tensor] = {}
        for name, stage in self.stages.named_children():
            features = stage(features)
            if name in self.wanted:
                found[name] = features
        return [found[name] for name in self.wanted]


def content_loss(features: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Squared difference of features, pixel by pixel (Gatys et al. 2016, equation 1, as a mean).

    Args:
        features: one ``(N, C, h, w)`` for each layer, of the stylised frames.
        target: the same of the content frames; no gradient flows into them.

    Returns:
        Mean within each frame, over frames, over layers; a scalar.
    """
    pairs = zip(features, target, strict=True)
    return torch.stack([clip_mean((full_precision(f) - full_precision(t.detach())).square()) for f, t in pairs]).mean()


def gram_style_loss(features: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
    """Squared distance of each frame's Gram matrices from the style's mean one, relative to the latter's size.

    Relative, so that layers count alike whatever the scale of their activations.

    Args:
        features: one ``(N, C, h, w)`` for each layer, of the stylised frames.
        style: the same of style pictures, of any number and size; no gradient flows into them.

    Returns:
        Mean over frames, over layers of |Gram - Gram_s|^2 / |Gram_s|^2; a scalar.
    """
    terms = []
    for layer, style_layer in zip(features, style, strict=True):
        target = gram(style_layer.detach()).mean(0)
        terms.append((gram(layer) - target).square().sum((1, 2)).mean() / target.square().sum())
    return torch.stack(terms).mean()


def _vgg19(path: str | Path | None) -> tuple[nn.Conv2d, dict[str, nn.Module]]:
    """The convolution that adapts RGB in [0, 1], and the layers by name, as deep as the weights reach."""
    state = read_weights(VGG19_Weights.IMAGENET1K_V1, path)
    convolutions = _convolutions_in_order(state)
    others = sum(value.dim() == 4 for value in state.values()) - len(convolutions)
    normalised = bool(convolutions) and convolutions[0][0].shape == (3, 3, 1, 1)
    colour = _convolution(*convolutions.pop(0), padding=0) if normalised else _imagenet_colour()
    shapes = [tuple(weight.shape) for weight, _ in convolutions]
    channels = [3] + [channels for _, channels in _VGG]
    expected = [(after, before, 3, 3) for before, after in pairwise(channels)]
    if others or not shapes or shapes != expected[: len(shapes)]:
        raise ValueError(f"{path}: expected the weights of VGG-19, got those of something else; pass a VGG-19 state dict")
    stages: dict[str, nn.Module] = {}
    for (name, _), (weight, bias) in zip(_VGG, convolutions, strict=False):
        if name.endswith("_1") and stages:
            stages[f"pool{int(name[0]) - 1}"] = nn.MaxPool2d(2)
        stages[f"conv{name}"] = _convolution(weight, bias, padding=1, padding_mode="reflect" if normalised else "zeros")
        stages[f"relu{name}"] = nn.ReLU()
    return colour, stages


def _convolutions_in_order(state: dict[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of all ``[features.]N`` that are convolutions, the only ones whose weights have four axes."""
    keys = [key.removesuffix(".weight") for key, value in state.items() if key.endswith(".weight") and value.dim() == 4]
    numbered = {int(key.removeprefix("features.")): key for key in keys if key.removeprefix("features.").isdigit()}
    return [(state[f"{key}.weight"], state[f"{key}.bias"]) for _, key in sorted(numbered.items()) if f"{key}.bias" in state]


def _squeezenet(path: str | Path | None) -> tuple[nn.Conv2d, dict[str, nn.Module]]:
    """As ``_vgg19``."""
    state = read_weights(SqueezeNet1_1_Weights.IMAGENET1K_V1, path)
    with torch.device("meta"):  # draws no random weights, which would shift those of the networks built next
        features = squeezenet1_1().features
    kept = {key.removeprefix("features."): value for key, value in state.items() if not key.startswith("classifier.")}
    try:
        features.load_state_dict(kept, assign=True)
    except RuntimeError as error:
        expected, remedy = "the weights of SqueezeNet 1.1", "pass a state dict of torchvision's"
        raise ValueError(f"{path}: expected {expected}, got those of something else; {remedy}") from error
    return _imagenet_colour(), dict(zip(_SQUEEZENET, features, strict=True))


def _imagenet_colour() -> nn.Conv2d:
    """(RGB - mean) / std of ImageNet as a 1x1 convolution."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return _convolution(torch.diag(1 / std)[..., None, None], -mean / std, padding=0)


def _convolution(weight: Tensor, bias: Tensor, padding: int, padding_mode: Literal["zeros", "reflect"] = "zeros") -> nn.Conv2d:
    channels_out, channels_in, kernel, _ = weight.shape
    with torch.device("meta"):
        convolution = nn.Conv2d(channels_in, channels_out, kernel, padding=padding, padding_mode=padding_mode)
    convolution.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    return convolution
