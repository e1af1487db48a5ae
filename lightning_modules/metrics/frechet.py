"""FID, KID and ArtFID, by their names only with the networks these names stand for.

Whoever has no such network gets the reason in one line, for the notes of a card. FID is torchmetrics' class; KID is
``KernelDistance([2048], relative=False)``.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchvision.models import inception_v3

from lightning_modules.ops.pretrained import Frozen, in_cache, read_weights

FEATURES = 2048
FIDELITY_URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
HEADS = ("AuxLogits", "fc")  # of a classifier, which no metric uses


class Inception(Frozen):
    """Pooled features of the Inception network of the published FID (torch-fidelity's conversion of it).

    Args:
        weights: torch-fidelity's file, or None for the one in torch's cache; nothing is downloaded.

    Raises:
        ValueError: no such file, or one of something else.
        ModuleNotFoundError: torch-fidelity is not installed.
    """

    label = "Inception 2015-12-05 (torch-fidelity)"

    def __init__(self, weights: str | Path | None = None) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        super().__init__()
        path = Path(weights or Path(torch.hub.get_dir()) / "checkpoints" / FIDELITY_URL.rsplit("/", 1)[-1])
        read_weights(None, path)  # refuses what is no plain state dict: torch-fidelity itself would run what it holds
        try:
            # Resized as the published network does; torchmetrics' own way gives features that differ in the hundredths.
            self.network = NoTrainInceptionV3("inception-v3-compat", [str(FEATURES)], str(path), antialias=False)
        except RuntimeError as error:
            raise ValueError(f"{path}: expected {FIDELITY_URL}, got the weights of something else; download it") from error
        self.freeze()

    def forward(self, frames: Tensor) -> Tensor:
        """``(N, 2048)`` of frames ``(..., 3, H, W)`` in [-1, 1], which are rounded to 8 bits and resized to 299x299."""
        levels = ((frames.reshape(-1, *frames.shape[-3:]).float() + 1) * 127.5).round().clamp(0, 255)
        return self.network(levels.to(torch.uint8))


class ArtInception(Frozen):
    """Pooled features of the Inception network trained on paintings of Wright and Ommer 2022.

    Args:
        weights: their published state dict, in torchvision's layout with heads of their own.

    Raises:
        ValueError: no such file, or one of something else.
    """

    label = "art-trained Inception"

    def __init__(self, weights: str | Path) -> None:
        super().__init__()
        with torch.device("meta"):
            self.network = inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
        self.network.fc = nn.Identity()
        kept = {key: value for key, value in read_weights(None, weights).items() if not key.startswith(HEADS)}
        try:
            self.network.load_state_dict(kept, assign=True)
        except RuntimeError as error:
            expected = "the weights of an Inception network in torchvision's layout"
            raise ValueError(f"{weights}: expected {expected}, got those of something else; pass another file") from error
        self.freeze()

    def forward(self, frames: Tensor) -> Tensor:
        """``(N, 2048)`` of frames ``(..., 3, H, W)`` in [-1, 1]; at their own size, as in the published script."""
        return self.network((frames.reshape(-1, *frames.shape[-3:]).float() + 1) / 2)


def inception(weights: str | Path | None = None) -> Inception | str:
    """The network of FID and KID, or in one line why there is none. Never downloads."""
    if find_spec("torch_fidelity") is None:
        return "no FID and KID: torch-fidelity is not installed; pip install torch-fidelity"
    if weights is None and not in_cache(FIDELITY_URL):
        return f"no FID and KID: the weights of their Inception network are not here; download {FIDELITY_URL} and pass its path"
    try:
        return Inception(weights)
    except ValueError as error:
        return f"no FID and KID: {error}"


def art_inception(weights: str | Path | None = None) -> ArtInception | str:
    """The network of ArtFID, or in one line why there is none."""
    if weights is None:
        return "no ArtFID: its art-trained Inception network was not given; pass the path of its weights"
    try:
        return ArtInception(weights)
    except ValueError as error:
        return f"no ArtFID: {error}"


def frechet_distance(features: int = FEATURES) -> FrechetInceptionDistance:
    """Frechet distance of features, to be updated with these: ``update(features, real=...)``, ``(N, features)`` in float64.

    Formula: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of means m and covariances S.
    Range: >= 0. Direction: lower is nearer to the style; biased upwards with few pictures, so that only figures of equal
    numbers of them compare. It is the FID of ``Inception`` features only.
    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", equation 6.
    """
    network = nn.Identity()
    network.num_features = features  # type: ignore[assignment]
    return FrechetInceptionDistance(network)


def art_fid(lpips: float, distance: float) -> float:
    """ArtFID = (1 + LPIPS(content, output)) (1 + FID(style, output)), of Wright and Ommer 2022, equation 4.

    Range: >= 1. Direction: lower is better.

    Args:
        lpips: with AlexNet, mean over pictures.
        distance: the Frechet distance of ``ArtInception`` features.
    """
    return (1 + lpips) * (1 + distance)
