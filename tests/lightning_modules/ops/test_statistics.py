"""Means over clips and Gram matrices, against loops."""

import pytest
import torch

from lightning_modules.ops.statistics import clip_mean, full_precision, gram


def test_clip_mean_weighs_clips_alike() -> None:
    values = torch.randn(3, 2, 3, 4, 5)
    visible = (torch.rand(3, 2, 1, 4, 5) < 0.4).float()
    expected = sum(values[b][visible[b].bool().expand(2, 3, 4, 5)].mean().item() for b in range(3)) / 3
    assert clip_mean(values, visible).item() == pytest.approx(expected, abs=1e-5)
    assert clip_mean(values).item() == pytest.approx(values.mean().item(), abs=1e-6)


def test_a_batch_in_parts_is_the_batch() -> None:
    # What makes ranks and accumulation equal to one large batch.
    values, visible = torch.randn(4, 3, 6, 6), (torch.rand(4, 1, 6, 6) < 0.5).byte()
    halves = [clip_mean(values[i : i + 2], visible[i : i + 2]) for i in (0, 2)]
    assert clip_mean(values, visible).item() == pytest.approx((sum(halves) / 2).item(), abs=1e-6)


def test_nothing_visible_is_zero() -> None:
    assert clip_mean(torch.ones(2, 3), torch.zeros(2, 3)).item() == 0
    assert clip_mean(torch.ones(2, 0)).item() == 0


def test_half_precision_is_raised_and_double_is_kept() -> None:
    dtypes = {torch.bfloat16: torch.float32, torch.float16: torch.float32, torch.float32: torch.float32}
    for given, expected in {**dtypes, torch.float64: torch.float64}.items():
        assert full_precision(torch.ones(2, dtype=given)).dtype == expected
    # 4096 ones cannot be counted in bfloat16.
    assert clip_mean(torch.ones(1, 4096, dtype=torch.bfloat16)).item() == 1


def test_gram_by_hand_and_under_autocast() -> None:
    features = torch.randn(2, 3, 4, 5)
    expected = torch.zeros(2, 3, 3)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                expected[n, i, j] = (features[n, i] * features[n, j]).sum() / 20
    torch.testing.assert_close(gram(features), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(gram(features), gram(features.clone()))
        torch.testing.assert_close(gram(features), expected)
