"""Cycle, identity and feature matching."""

import pytest
import torch

from lightning_modules.losses.reconstruction import feature_matching, l1


def test_l1_is_the_mean_distance() -> None:
    a = torch.zeros(2, 3, 3, 4, 5)
    b = a.clone()
    b[0, 1, 2, 3, 4] = -6
    assert l1(a, a).item() == 0
    assert l1(a, b).item() == pytest.approx(6 / a.numel())
    assert l1(a.bfloat16(), b.bfloat16()).dtype == torch.float32


def test_l1_refuses_to_broadcast() -> None:
    with pytest.raises(ValueError, match="one shape"):
        l1(torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4))


def test_feature_matching_sees_channel_means_only() -> None:
    features = [torch.randn(3, 4, 5, 6), torch.randn(3, 8, 2, 2)]
    elsewhere = [f.flip(0).roll(1, -1).transpose(-1, -2) for f in features]
    assert feature_matching(features, elsewhere).item() == pytest.approx(0, abs=1e-10)


def test_feature_matching_by_hand() -> None:
    # Layer 1: one of two channels is off by 3; layer 2: its only channel is off by 1.
    fake = [torch.tensor([1.0, 5.0]).view(1, 2, 1, 1).expand(2, 2, 3, 3), torch.ones(2, 1, 4, 4)]
    real = [torch.tensor([1.0, 2.0]).view(1, 2, 1, 1).expand(5, 2, 7, 7), torch.zeros(5, 1, 2, 2)]
    assert feature_matching(fake, real).item() == pytest.approx(((0 + 9) / 2 + 1) / 2)


def test_feature_matching_teaches_the_generated_side_only() -> None:
    fake, real = torch.randn(2, 4, 3, 3, requires_grad=True), torch.randn(2, 4, 3, 3, requires_grad=True)
    feature_matching([fake], [real]).backward()
    assert fake.grad is not None
    assert real.grad is None


def test_feature_matching_refuses_other_layers() -> None:
    with pytest.raises(ValueError, match=r"got \[4\] and \[8\]"):
        feature_matching([torch.zeros(1, 4, 2, 2)], [torch.zeros(1, 8, 2, 2)])
