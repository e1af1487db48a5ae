"""The light generator: no trace of its block grid, the content in place at the start, frames by themselves."""

import pytest
import torch
import torch.nn.functional as F

from lightning_modules.generators.mobile import BLOCK, MobileGenerator, folded_lowpass


@pytest.fixture
def network() -> MobileGenerator:
    """Small, and away from its start."""
    torch.manual_seed(0)
    generator = MobileGenerator(48, 1, 12)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return generator


def unfold_and_blur(folded: torch.Tensor) -> torch.Tensor:
    """The output filter by its definition: every colour convolved with [1, 2, 2, 2, 1] / 8 along both axes."""
    row = torch.tensor([1.0, 2.0, 2.0, 2.0, 1.0], dtype=folded.dtype) / 8
    pictures = F.pixel_shuffle(folded, BLOCK)
    return F.conv2d(pictures, torch.outer(row, row).expand(3, 1, 5, 5), padding=2, groups=3)


def test_folded_lowpass_is_the_plain_filter() -> None:
    folded = torch.randn(2, 48, 5, 6, dtype=torch.float64)
    smooth = F.pixel_shuffle(F.conv2d(folded, folded_lowpass().double(), padding=1), BLOCK)
    torch.testing.assert_close(smooth, unfold_and_blur(folded))


def test_folded_lowpass_removes_whatever_repeats_every_block() -> None:
    pattern = torch.randn(1, 48, 1, 1).expand(1, 48, 6, 7)  # any pattern within the block, the same in all blocks
    smooth = F.pixel_shuffle(F.conv2d(pattern, folded_lowpass()), BLOCK)
    colours = pattern[0, :, 0, 0].view(3, -1).mean(1)
    torch.testing.assert_close(smooth, colours.view(1, 3, 1, 1).expand_as(smooth), atol=1e-6, rtol=0)


def test_folded_lowpass_keeps_colours_and_slopes() -> None:
    x = torch.linspace(-1, 1, 24).expand(1, 3, 24, 24)
    smooth = F.pixel_shuffle(F.conv2d(F.pixel_unshuffle(x, BLOCK), folded_lowpass()), BLOCK)
    torch.testing.assert_close(smooth, x[..., 4:-4, 4:-4], atol=1e-6, rtol=0)  # symmetric: nothing is shifted


def test_starts_with_the_content_in_place() -> None:
    torch.manual_seed(0)
    frames = F.interpolate(torch.rand(2, 3, 6, 6) * 2 - 1, 32, mode="bicubic").clamp(-1, 1)
    painted = MobileGenerator()(frames)
    assert (painted - frames.tanh()).abs().mean() < 0.2
    assert torch.corrcoef(torch.stack([painted.flatten(), frames.flatten()]))[0, 1] > 0.95


def test_starts_with_weak_contrasts_made_strokes_and_strong_ones_bounded() -> None:
    torch.manual_seed(0)
    generator, x = MobileGenerator(), torch.arange(64.0)
    waves = torch.sin(x * 2 * torch.pi / 10).expand(1, 3, 64, 64)  # between the two blurs
    weak, strong = (
        float(generator(height * waves)[..., 16:48].detach().std() / (height * waves).std()) for height in (0.03, 0.9)
    )
    assert weak > 1.5
    assert strong < 1.1


def test_every_frame_is_painted_by_itself(network: MobileGenerator) -> None:
    clips = torch.rand(2, 3, 3, 16, 20) * 2 - 1
    together = network(clips)
    assert together.shape == clips.shape
    assert together.abs().max() < 1
    for i in range(2):
        for t in range(3):
            torch.testing.assert_close(together[i, t], network(clips[i, t]), atol=1e-5, rtol=1e-5)


def test_moves_with_the_scene_by_whole_blocks(network: MobileGenerator) -> None:
    world = torch.rand(1, 3, 48, 64) * 2 - 1
    here, there = network(world), network(world.roll(-BLOCK, -1))  # what leaves comes back, so that the mean stays
    # Seven blocks from the sides, whose borders differ.
    torch.testing.assert_close(here[..., 28 + BLOCK : 40], there[..., 28 : 40 - BLOCK], atol=1e-5, rtol=1e-5)


def test_half_of_the_mean_colour_is_taken_out_and_the_contrasts_are_not() -> None:
    torch.manual_seed(0)
    generator, frames = MobileGenerator(), torch.rand(1, 3, 32, 32) * 0.2 - 0.1
    lighter = torch.tensor([0.4, -0.2, 0.1]).view(3, 1, 1)
    # As it starts, it is linear but for the strokes.
    apart = (generator(frames + lighter).atanh() - generator(frames).atanh()).detach()
    torch.testing.assert_close(apart.mean((0, 2, 3)), lighter.flatten() / 2, atol=0.05, rtol=0.1)
    assert apart.std((0, 2, 3)).max() < 0.02


def test_every_weight_learns(network: MobileGenerator) -> None:
    network(torch.rand(1, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_filter_is_fixed_and_not_saved(network: MobileGenerator) -> None:
    assert not any("lowpass" in name for name in network.state_dict())
    assert not any("lowpass" in name for name, _ in network.named_parameters())


def test_options() -> None:
    count = [
        sum(p.numel() for p in MobileGenerator(*args).parameters())
        for args in ((48, 1, 12), (56, 1, 12), (48, 2, 12), (48, 1, 14))
    ]
    assert len(set(count)) == 4
    assert MobileGenerator(56, finish=14).init_args == {"channels": 56, "blocks": 4, "finish": 14}
    with pytest.raises(ValueError, match="channels=47, blocks=0, finish=11"):
        MobileGenerator(47, 0, 11)


@pytest.mark.parametrize("size", [(18, 16), (16, 18)])
def test_sizes_that_are_no_whole_blocks_are_refused(network: MobileGenerator, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 4 .* got {size[0]}x{size[1]}"):
        network(torch.zeros(1, 3, *size))
    assert network(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)


@pytest.mark.parametrize("blocks", [1, 2])
def test_reach_is_how_far_gradients_go(blocks: int) -> None:
    torch.manual_seed(0)
    generator = MobileGenerator(48, blocks, 12).double()
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    side = 2 * generator.reach + 6 * BLOCK
    middle = side // 2 // BLOCK * BLOCK
    farthest = 0
    for at in range(middle, middle + BLOCK):  # every place within a block
        frames = (torch.rand(1, 3, side, side, dtype=torch.float64) * 2 - 1).requires_grad_()
        generator.paint_part(frames, torch.zeros(1, 3, 1, 1, dtype=torch.float64))[0, :, at, at].sum().backward()
        assert frames.grad is not None
        _, _, rows, columns = frames.grad.nonzero(as_tuple=True)
        farthest = max(farthest, *(int((places - at).abs().max()) for places in (rows, columns)))
    assert farthest == generator.reach
