import pytest
import torch
import torch.nn.functional as F

from lightning_modules.ops.fold import fold, halved, unfold

FRAMES = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("block", [2, 4])
def test_fold_is_pixel_unshuffle_in_another_order(block: int) -> None:
    colours_first = F.pixel_unshuffle(FRAMES, block).unflatten(1, (3, block * block))
    assert torch.equal(fold(FRAMES, block), colours_first.transpose(1, 2).flatten(1, 2))


@pytest.mark.parametrize("block", [2, 4])
def test_unfold_undoes_it_and_both_stay_channels_last(block: int) -> None:
    lying = FRAMES.to(memory_format=torch.channels_last)
    folded = fold(lying, block)
    assert torch.equal(unfold(folded, block), FRAMES)
    for pictures in (folded, unfold(folded, block), halved(lying)):
        assert pictures.is_contiguous(memory_format=torch.channels_last)


def test_halved_is_average_pooling() -> None:
    torch.testing.assert_close(halved(FRAMES), F.avg_pool2d(FRAMES, 2))
