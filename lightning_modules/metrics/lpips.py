"""LPIPS (Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric"): how different pictures
look, as a distance of deep features with weights fitted to what people said.

The weights fitted, version 0.1, come with torchmetrics; those of the classifier from torchvision, or by path.
"""

from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

import torch
import torchmetrics
from torch import Tensor, nn
from torchvision import models

from lightning_modules.metrics.base import ClipMetric
from lightning_modules.ops.pretrained import Frozen, read_weights

Net = Literal["alex", "vgg", "squeeze"]

# The classifier, its weights, and behind which of its layers the features are taken.
_NETS = {
    "alex": (models.alexnet, models.AlexNet_Weights.IMAGENET1K_V1, (1, 4, 7, 9, 11)),
    "vgg": (models.vgg16, models.VGG16_Weights.IMAGENET1K_V1, (3, 8, 15, 22, 29)),
    "squeeze": (models.squeezenet1_1, models.SqueezeNet1_1_Weights.IMAGENET1K_V1, (1, 4, 7, 9, 10, 11, 12)),
}
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's mean and deviation, on [-1, 1]
_LEAST_SIDE = 32  # pixels; smaller frames vanish within the networks


class LPIPS(Frozen):
    """Sum over layers of the mean over pixels of w . (f(a) - f(b))^2, f normalised over channels: >= 0, 0 for equal pictures.

    Version 0.1, without resizing, as in the authors' and in torchmetrics' code. ``label`` says which network looks, and which
    file its weights are from if they are not torchvision's own: other weights are another metric.

    Args:
        net: AlexNet (the one to report), VGG-16 or SqueezeNet 1.1.
        weights: a state dict of the classifier in torchvision's layout; that of its ``features`` is enough. By default
            torchvision's, from its cache or downloaded.

    Raises:
        ValueError: an unknown net, or weights that cannot be had or do not fit.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, net: Net = "alex", weights: str | Path | None = None) -> None:
        super().__init__()
        if net not in _NETS:
            raise ValueError(f"net: expected one of {', '.join(get_args(Net))}, got {net!r}; choose one")
        self.label = f"LPIPS ({net})" if weights is None else f"LPIPS ({net}, weights of {Path(weights).name})"
        ends = [last + 1 for last in _NETS[net][2]]
        features = _features(net, weights)
        self.stages = nn.ModuleList(features[first:end] for first, end in pairwise([0, *ends]))
        self.heads = nn.ModuleList(_heads(net))
        self.register_buffer("shift", torch.tensor(_SHIFT).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(3, 1, 1))
        self.freeze()

    def features(self, frames: Tensor) -> list[Tensor]:
        """Normalised features, for frames that are compared more than once.

        Args:
            frames: ``(N, 3, H, W)`` in [-1, 1], sides of 32 pixels or more.

        Returns:
            ``(N, C, h, w)`` of each layer, float32.

        Raises:
            ValueError: no such frames.
        """
        if frames.dim() != 4 or frames.shape[1] != 3 or min(frames.shape[-2:]) < _LEAST_SIDE:
            got = tuple(frames.shape)
            raise ValueError(
                f"LPIPS: expected frames (N, 3, H, W), sides from {_LEAST_SIDE} pixels, got {got}; take larger ones"
            )
        found = []
        with torch.autocast(frames.device.type, enabled=False):
            layer = (frames.float() - self.shift) / self.scale
            for stage in self.stages:
                layer = stage(layer)
                found.append(layer / (layer.square().sum(1, keepdim=True) + 1e-8).sqrt())
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """LPIPS of frames from their ``features``: ``(N,)``."""
        with torch.autocast(a[0].device.type, enabled=False):
            terms = [head((f - g).square()).mean((1, 2, 3)) for head, f, g in zip(self.heads, a, b, strict=True)]
        return torch.stack(terms).sum(0)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [-1, 1] twice to ``(N,)``."""
        return self.distance(self.features(a), self.features(b))


def clip_lpips(output: Tensor, content: Tensor, lpips: LPIPS) -> Tensor:
    """LPIPS between the frames of clips, the mean over each clip.

    Args:
        output: ``(B, T, 3, H, W)`` in [-1, 1].
        content: the same shape.
        lpips: the network that looks, one frame of each clip at a time.

    Returns:
        ``(B,)`` >= 0, float64.

    Raises:
        ValueError: shapes that differ, or too small frames.
    """
    if output.dim() != 5 or output.shape != content.shape:
        shapes = f"{tuple(output.shape)} and {tuple(content.shape)}"
        raise ValueError(
            f"LPIPS: expected clips (B, T, 3, H, W) of one shape, got {shapes}; compare a clip with its repainting"
        )
    frames = zip(output.unbind(1), content.unbind(1), strict=True)
    return torch.stack([lpips(ours, theirs).double() for ours, theirs in frames], dim=1).mean(1)


class LearnedSimilarity(ClipMetric):
    """LPIPS between output and content, mean over frames, then over clips: >= 0, lower keeps more of what was there.

    0 is the unpainted content: a measure of what is kept, not of success. Zhang et al. 2018.

    Args:
        lpips: the network that looks; ``label`` says which.
        resamples: of the bootstrap.
        seed: of the resamples.
    """

    higher_is_better = False

    def __init__(self, lpips: LPIPS, resamples: int = 0, seed: int = 0) -> None:
        super().__init__(2, resamples, seed)
        self.lpips, self.label = lpips, lpips.label

    def update(self, output: Tensor, content: Tensor, numbers: list[int] | None = None) -> None:
        """Take clips, as ``clip_lpips`` does."""
        distances = clip_lpips(output, content, self.lpips)
        self.add(torch.stack([distances, torch.ones_like(distances)], dim=1), numbers)

    def value(self, sums: Tensor) -> Tensor:
        return sums[..., 0] / sums[..., 1]


def _features(net: Net, path: str | Path | None) -> nn.Sequential:
    build, published, _ = _NETS[net]
    state = read_weights(published, path)
    kept = {key.removeprefix("features."): value for key, value in state.items() if not key.startswith("classifier.")}
    with torch.device("meta"):  # draws no random weights, which would shift those of networks built next
        features: nn.Sequential = build().features
    try:
        features.load_state_dict(kept, assign=True)
    except RuntimeError as error:
        expected, remedy = f"the weights of torchvision's {build.__name__}", "pass a file of these or change net"
        raise ValueError(f"{path or published}: expected {expected}, got others; {remedy}") from error
    return features


def _heads(net: Net) -> list[nn.Conv2d]:
    """The fitted weights of each layer's channels, as 1x1 convolutions."""
    path = Path(torchmetrics.__file__).parent / "functional" / "image" / "lpips_models" / f"{net}.pth"
    state = torch.load(path, map_location="cpu", weights_only=True)
    heads = []
    for layer in range(len(state)):
        weight = state[f"lin{layer}.model.1.weight"]
        with torch.device("meta"):
            head = nn.Conv2d(weight.shape[1], 1, 1, bias=False)
        head.load_state_dict({"weight": weight}, assign=True)
        heads.append(head)
    return heads
