"""Classifiers with random weights, as files: what pretrained ones are to LPIPS, without a download."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models


def random_features(net: str) -> nn.Sequential:
    """Of the classifier's architecture; the same every time."""
    build = {"alex": models.alexnet, "vgg": models.vgg16, "squeeze": models.squeezenet1_1}[net]
    with torch.device("meta"):
        features = build().features
    features = features.to_empty(device="cpu")
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in features.parameters():
            spread = 0.1 if parameter.dim() == 1 else (2 / parameter[0].numel()) ** 0.5
            parameter.normal_(0, spread, generator=draws)
    return features.eval()


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a net's random weights."""
    folder = tmp_path_factory.mktemp("weights")

    def file(net: str) -> Path:
        path = folder / f"{net}.pth"
        if not path.exists():
            torch.save(random_features(net).state_dict(), path)
        return path

    return file
