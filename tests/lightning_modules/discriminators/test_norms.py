"""What the norms of a critic do to single clips and to weights."""

from typing import get_args

import pytest
import torch
from torch import nn

from lightning_modules.discriminators.norms import Norm, apply_spectral_norm, has_own_bias, norm_layers
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN


@pytest.mark.parametrize("norm", get_args(Norm))
@pytest.mark.parametrize("critic", [PatchGAN, TemporalPatchGAN])
def test_batch_norm_alone_makes_one_clip_depend_on_another(norm: Norm, critic: type) -> None:
    # Which is why it may not be used with a penalty on the slope of each clip.
    network = critic(channels=4, norm=norm)
    assert network.norm == norm
    clips = torch.randn(2, 3, 32, 32) if critic is PatchGAN else torch.randn(2, 3, 3, 32, 32)
    clips.requires_grad_()
    network(clips)[0].square().sum().backward()
    assert (clips.grad[1].abs().sum().item() > 1e-8) == (norm == "batch")
    assert clips.grad[0].abs().sum() > 0


def test_a_norm_with_a_bias_replaces_that_of_the_convolution() -> None:
    for dims in (2, 3):
        for norm in get_args(Norm):
            layers = norm_layers(norm, 8, dims)
            assert has_own_bias(norm) == any(getattr(layer, "bias", None) is not None for layer in layers)


def test_layer_norm_is_over_all_channels_of_one_clip() -> None:
    features = torch.randn(2, 8, 3, 5, 5) * 4 + 1
    (layer,) = norm_layers("layer", 8, 3)
    normalised = layer(features).flatten(1)
    torch.testing.assert_close(normalised.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.var(1, unbiased=False), torch.ones(2), atol=1e-3, rtol=0)


def test_spectral_norm_bounds_every_convolution() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 4), nn.LeakyReLU(0.2), nn.Conv3d(8, 4, 3))
    apply_spectral_norm(network)
    for conv in (network[0], network[2]):
        for _ in range(300):
            weight = conv.weight  # each reading refines the estimate
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-2)


def test_unknown_norm() -> None:
    with pytest.raises(ValueError, match="none, instance, batch, layer, spectral, got 'group'"):
        PatchGAN(norm="group")
