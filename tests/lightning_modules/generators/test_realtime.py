"""The generator for live video: no trace of its blocks, the content in place at the start, frames by themselves."""

import pytest
import torch
import torch.nn.functional as F

from lightning_modules.generators.realtime import (
    BLOCK,
    COLOURS,
    RealtimeGenerator,
    Separable,
    folded_way_up,
)
from lightning_modules.ops.colours import SPREAD
from lightning_modules.ops.detail import HIGHEST, LOWEST
from lightning_modules.ops.fold import fold, unfold

LIGHT = -0.3  # of content
NARROW = torch.tensor([LIGHT, 0.05, -0.05, 0.01, 0.0, 0.01, 0.02, 0.02, 0.01])  # and a style of few colours, all close to one


@pytest.fixture
def network() -> RealtimeGenerator:
    """Small, away from its start, and of a style whose colours hold it back."""
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    generator.observe(NARROW)
    return generator


def test_the_way_up_is_the_plain_filter_and_one_that_doubles() -> None:
    half = torch.randn(2, 3, 12, 16, dtype=torch.float64)
    row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
    smooth = F.conv2d(half, torch.outer(row, row).expand(3, 1, 3, 3), padding=1, groups=3)
    taps = torch.tensor([1.0, 5.0, 10.0, 10.0, 5.0, 1.0], dtype=torch.float64) / 16
    expected = F.conv_transpose2d(smooth, torch.outer(taps, taps).expand(3, 1, 6, 6), stride=2, padding=2, groups=3)
    full = unfold(F.conv2d(fold(half, 2), folded_way_up().double(), padding=1), BLOCK)
    torch.testing.assert_close(full[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4])  # their borders differ


def test_blocks_are_those_of_the_halved_frame(network: RealtimeGenerator) -> None:
    frames = torch.randn(2, 3, 16, 24)
    torch.testing.assert_close(network.in_blocks(frames), fold(F.avg_pool2d(frames, 2), 2))


def test_the_way_up_removes_whatever_repeats_every_block() -> None:
    pattern = torch.randn(1, COLOURS, 1, 1).expand(1, COLOURS, 6, 7)  # any pattern within the block, the same in all blocks
    full = unfold(F.conv2d(pattern, folded_way_up()), BLOCK)
    colours = pattern[0, :, 0, 0].view(-1, 3).mean(0)
    torch.testing.assert_close(full, colours.view(1, 3, 1, 1).expand_as(full), atol=1e-6, rtol=0)


def test_the_way_up_takes_steps_as_large_within_pixels_as_from_one_to_the_next() -> None:
    waves = torch.sin(torch.arange(64.0) * torch.pi / 3).expand(1, 3, 64, 64)  # six half-size pixels long
    steps = unfold(F.conv2d(fold(waves, 2), folded_way_up(), padding=1), BLOCK)[..., 8:-8, 8:-8].diff(dim=-1).square()
    within, between = steps[..., 0::2].mean(), steps[..., 1::2].mean()
    assert (between / within).sqrt() == pytest.approx(1, abs=0.02)  # bilinear interpolation alone: 1.15


@pytest.mark.parametrize(("options", "over"), [({"strokes": 0.0}, 1), ({}, 8)])  # strokes lie over it: means are the same
def test_starts_with_the_content_in_place(options: dict[str, float], over: int) -> None:
    torch.manual_seed(0)
    frames = F.interpolate(torch.rand(2, 3, 6, 6) * 2 - 1, 48, mode="bicubic").clamp(-1, 1)
    painted = RealtimeGenerator(**options)(frames)
    assert (painted - frames.tanh()).abs().mean() < 0.2
    means = [F.avg_pool2d(pictures, over).flatten() for pictures in (painted, frames)]
    assert torch.corrcoef(torch.stack(means))[0, 1] > 0.95


def test_strokes_lie_over_the_paint_times_a_gain_where_there_is_something_to_be_seen() -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator()
    rough = 0.1 * F.interpolate(torch.randn(1, 3, 32, 32), scale_factor=2)
    grain = 0.3 / 127.5 * torch.randn(1, 3, 64, 64)
    painted = []
    for gain in (0.0, 0.5, 1.0):
        torch.nn.init.constant_(generator.gain, gain)
        with torch.no_grad():
            painted.append([generator(frame) for frame in (rough, grain)])
    weak, strong = ([some - none for some, none in zip(pictures, painted[0], strict=True)] for pictures in painted[1:])
    within = (painted[2][0].abs().amax(1, keepdim=True) < 1).expand_as(rough)  # where nothing is cut off
    torch.testing.assert_close(strong[0][within], 2 * weak[0][within])
    torch.testing.assert_close(strong[0][:, :1].expand_as(rough)[within], strong[0][within])  # all colours alike
    assert strong[0].std() > 0.03
    assert strong[1].abs().max() < 0.002


def test_even_areas_stay_even_where_strokes_begin_and_end() -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator()
    torch.nn.init.zeros_(generator.head.weight)  # nothing but strokes
    frame = torch.full((1, 3, 64, 96), 0.8)
    frame[..., :32] += 0.2 * F.interpolate(torch.randn(1, 1, 32, 16), scale_factor=2)
    with torch.no_grad():
        painted = generator(frame)
    assert painted[..., :32].std() > 0.02
    assert painted[..., 36:].abs().max() < 1e-5


def test_a_separable_block_starts_as_the_identity() -> None:
    x, block = torch.randn(2, 4, 5, 6), Separable(4)
    with torch.no_grad():
        torch.testing.assert_close(block(x) - x, block.narrow.bias.view(-1, 1, 1).expand_as(x))


def test_every_frame_is_painted_by_itself(network: RealtimeGenerator) -> None:
    clips = torch.rand(2, 3, 3, 16, 24) * 2 - 1
    together = network(clips)
    assert together.shape == clips.shape
    assert together.abs().max() <= 1
    for i in range(2):
        for t in range(3):
            torch.testing.assert_close(together[i, t], network(clips[i, t]), atol=1e-5, rtol=1e-5)


def test_moves_with_the_scene_by_whole_blocks(network: RealtimeGenerator) -> None:
    step = network.size_multiple
    world = torch.rand(1, 3, 80, 96) * 2 - 1
    here, there = network(world), network(world.roll(-step, -1))  # what leaves comes back, so that the mean stays
    inner = slice(network.reach, 96 - network.reach - step)
    torch.testing.assert_close(here.roll(-step, -1)[..., inner], there[..., inner], atol=1e-5, rtol=1e-5)


def test_half_of_the_mean_colour_is_taken_out() -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator()
    torch.nn.init.zeros_(generator.gain)
    frames, lighter = torch.rand(1, 3, 32, 32) * 0.2 - 0.1, torch.tensor([0.1, -0.05, 0.05]).view(3, 1, 1)
    apart = (generator(frames + lighter) - generator(frames)).detach().mean((0, 2, 3))
    torch.testing.assert_close(apart, lighter.flatten() / 2, atol=0.03, rtol=0.1)


def test_every_weight_learns(network: RealtimeGenerator) -> None:
    network.train()(torch.rand(1, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_adapts_when_painting_and_not_while_training() -> None:
    torch.manual_seed(0)
    plain = RealtimeGenerator(24, 1)
    adapting = RealtimeGenerator(24, 1, adaptive=True)
    adapting.load_state_dict(plain.state_dict(), strict=False)
    areas = F.interpolate(torch.rand(2, 3, 4, 6) * 2 - 1, scale_factor=8)
    frames = areas * torch.tensor([1.0, 0.1]).view(2, 1, 1, 1)  # soft, and the second is pale
    with torch.no_grad():
        free = plain(frames)
        assert torch.equal(adapting.train()(frames), free)
        plain.gain *= HIGHEST
        torch.testing.assert_close(adapting.eval()(frames)[0], plain(frames)[0])
        assert (free[0] - plain(frames)[0]).abs().max() > 0.05
        assert (adapting(frames)[1] - plain(frames)[1]).abs().max() > 0.05
        adapting.observe(NARROW)
        assert (adapting(frames)[0] - plain(frames)[0]).abs().max() > 0.05
        assert torch.equal(adapting.train()(frames), free)


def test_strokes_are_drawn_of_luma() -> None:
    generator, strong = RealtimeGenerator(), []
    torch.nn.init.zeros_(generator.head.weight)  # nothing but strokes
    noise, around = 0.02 * torch.randn(1, 1, 64, 64), 0.1 * F.interpolate(torch.randn(1, 3, 32, 32), scale_factor=2)
    for colour in torch.eye(3):
        with torch.no_grad():
            # Adding up with the opposite takes out what noise does to the lines of a picture.
            more, less = (generator(around + sign * colour.view(3, 1, 1) * noise) for sign in (1, -1))
        strong.append(float((more - less).std()))
    torch.testing.assert_close(torch.tensor(strong) / sum(strong), torch.tensor([0.2126, 0.7152, 0.0722]), atol=0.05, rtol=0)


def test_strokes_are_given_the_colour_of_the_styles() -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    generator.observe(NARROW)
    torch.nn.init.zeros_(generator.head.weight)  # nothing but strokes
    rough = 0.1 * F.interpolate(torch.randn(1, 3, 16, 16), scale_factor=2)
    with torch.no_grad():
        painted, grey = generator(rough), generator.train()(rough)
    assert torch.equal(grey[:, 0], grey[:, 1])
    colour = generator.style_colours.stroke
    assert colour.max() > 1.03 > 0.7 > colour.min()
    assert painted[:, 1].std() > 0.02
    torch.testing.assert_close(painted, painted[:, 1:2] * (colour / colour[1]).view(3, 1, 1))


def test_how_frames_are_is_found_in_full_precision(network: RealtimeGenerator) -> None:
    frames = F.interpolate(torch.rand(2, 3, 8, 8) - 0.5, scale_factor=8) * torch.tensor([1.0, 0.3]).view(2, 1, 1, 1)
    expected = network.overview(frames)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network.overview(frames), expected)


def test_sharp_frames_are_given_weaker_strokes_than_soft_ones() -> None:
    torch.manual_seed(0)
    plain, adapting = RealtimeGenerator(24, 1), RealtimeGenerator(24, 1, adaptive=True).eval()
    adapting.load_state_dict(plain.state_dict(), strict=False)
    areas = F.interpolate(torch.rand(1, 3, 4, 6) - 0.5, scale_factor=8)
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(48), indexing="ij")
    fine = 0.02 * (1.0 - 2 * ((rows + columns) % 2))  # gone from the halved frame
    for rough, expected in ((0.0, HIGHEST), (0.4, LOWEST)):
        frames = areas + rough * F.interpolate(torch.randn(1, 3, 16, 24), scale_factor=2)
        with torch.no_grad():
            detail, given = (network(frames + fine) - network(frames) for network in (plain, adapting))
            within = (network(frames).abs().amax(1, keepdim=True) < 0.9 for network in (plain, adapting))
            seen = torch.stack(list(within)).all(0).expand_as(detail)
        assert seen.float().mean() > 0.2  # where nothing is cut off
        torch.testing.assert_close(given[seen], expected * detail[seen], atol=1e-5, rtol=1e-4)


def test_pale_frames_are_painted_as_if_they_had_more_colour() -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    torch.nn.init.zeros_(generator.gain)  # strokes are of the frame as it is
    vivid = F.interpolate(torch.rand(1, 3, 8, 8) - 0.5, scale_factor=8)
    light = vivid.mean(1, keepdim=True)
    mean = (vivid - light).mean((2, 3), keepdim=True)
    pale = light + mean + (vivid - light - mean) / 3
    wanted = light + mean + (vivid - light - mean) * SPREAD / (vivid - light - mean).square().sum(1).mean().sqrt()
    with torch.no_grad():
        torch.testing.assert_close(generator(pale), generator(wanted), atol=1e-4, rtol=1e-3)


def test_bright_frames_are_painted_as_if_they_were_nearer_to_those_trained_on() -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    usual = 0.2 * F.interpolate(torch.rand(1, 3, 8, 8) - 0.5, scale_factor=8)
    usual += LIGHT - usual.mean()
    bright, half_as_bright = usual + 0.4, usual + 0.2
    other = NARROW.clone()
    other[0] = half_as_bright.mean()
    with torch.no_grad():
        generator.observe(NARROW)
        painted = generator(bright)
        assert painted.mean() > generator(usual).mean() + 0.05
        generator.observe(other, anew=True)
        torch.testing.assert_close(painted, generator(half_as_bright), atol=1e-5, rtol=1e-5)


def test_the_light_of_frames_counts_for_nothing_before_any_is_known() -> None:
    generator = RealtimeGenerator(24, 1, adaptive=True).eval()
    bright = torch.full((1, 3, 1, 1), 0.4)
    assert generator.unusual_light(bright) == 0
    generator.observe(NARROW)
    assert generator.unusual_light(bright).item() == pytest.approx(0.4 - LIGHT)


def test_the_filter_is_fixed_and_not_saved(network: RealtimeGenerator) -> None:
    for name in ("way_down", "light_down", "way_up", "slopes"):
        assert name in dict(network.named_buffers())
        assert not any(name in saved for saved in network.state_dict())


def test_options() -> None:
    count = [sum(p.numel() for p in RealtimeGenerator(*args).parameters()) for args in ((24, 1), (32, 1), (24, 2))]
    assert len(set(count)) == 3
    assert RealtimeGenerator(depth=2).init_args == {"width": 24, "depth": 2, "strokes": 1.0, "adaptive": False}
    with pytest.raises(ValueError, match=r"width >= 24 and depth >= 1, got 23 and 0"):
        RealtimeGenerator(23, 0)
    with pytest.raises(ValueError, match=r"strokes >= 0, got -0.1"):
        RealtimeGenerator(strokes=-0.1)


def test_starts_with_strokes_as_strong_as_asked() -> None:
    waves, painted = 0.1 * torch.sin(torch.arange(64.0)).expand(1, 3, 64, 64), []
    for strokes in (0.0, 0.5, 1.0):
        torch.manual_seed(0)
        with torch.no_grad():
            painted.append(RealtimeGenerator(strokes=strokes)(waves)[..., 16:48, 16:48])
    weak, strong = (float((other - painted[0]).std()) for other in painted[1:])
    assert weak > 0.02
    assert strong == pytest.approx(2 * weak, rel=0.01)


@pytest.mark.parametrize("size", [(20, 16), (16, 20)])
def test_sizes_that_are_no_whole_blocks_are_refused(network: RealtimeGenerator, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 8 .* got {size[0]}x{size[1]}"):
        network(torch.zeros(1, 3, *size))
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(("depth", "adaptive"), [(1, False), (2, False), (2, True)])
def test_a_pixel_changes_nothing_beyond_the_reach_and_something_almost_as_far(depth: int, adaptive: bool) -> None:
    torch.manual_seed(0)
    generator = RealtimeGenerator(24, depth, adaptive=adaptive).double().eval()
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    generator.observe(NARROW.double())
    step = generator.size_multiple
    side = (2 * generator.reach // step + 6) * step
    middle = side // 2 // step * step
    farthest = 0
    for at in range(middle, middle + step):  # every place within a block
        frames = torch.rand(1, 3, side, side, dtype=torch.float64) * 2 - 1
        changed = frames.clone()
        changed[..., at, at] += 0.5
        with torch.no_grad():
            overview = generator.overview(frames)
            before, after = (generator.paint_part(part, overview) for part in (frames, changed))
        _, _, rows, columns = (before != after).nonzero(as_tuple=True)
        farthest = max(farthest, *(int((places - at).abs().max()) for places in (rows, columns)))
    assert generator.reach - 2 * BLOCK < farthest <= generator.reach
