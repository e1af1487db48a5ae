"""What painting costs, against counting by hand and a clock that is told the time."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fit.evaluation import cost
from fit.evaluation.cost import Cost, Speed, facts, measure, multiply_adds, now, parameters, speed
from fit.stream import AnySize
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.generators.resnet import ResNetGenerator


class Clock:
    """Paints nothing; each frame takes the next of some times, the last of them again and again."""

    def __init__(self, times: Sequence[float]) -> None:
        self.times, self.moment, self.painted = list(times), 0.0, 0

    def __call__(self, frames: Tensor) -> Tensor:
        self.moment += self.times[min(self.painted, len(self.times) - 1)]
        self.painted += 1
        return frames

    def now(self, device: torch.device) -> float:
        return self.moment


# --- multiply-adds ---


def test_a_convolution_by_hand() -> None:
    assert multiply_adds(nn.Conv2d(3, 3, 5, padding=2), (20, 30)) == 20 * 30 * 5 * 5 * 3 * 3
    assert multiply_adds(nn.Conv2d(3, 3, 3, padding=1, groups=3), (20, 30)) == 20 * 30 * 3 * 3 * 3
    assert multiply_adds(lambda frames: frames.mean((-2, -1), keepdim=True).expand_as(frames), (20, 30)) == 0


def test_the_first_layer_of_the_resnet_generator_by_hand() -> None:
    first = ResNetGenerator(8, 1).layers[0]
    back = nn.Conv2d(8, 3, 1)
    assert multiply_adds(nn.Sequential(first, back), (16, 24)) == 16 * 24 * (7 * 7 * 3 * 8 + 8 * 3)


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_a_generator_by_a_loop_over_its_layers(upsample: Any) -> None:
    network, counts = ResNetGenerator(8, 2, upsample), []

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        # Of each value out, or of a transposed convolution of each value in: a filter's share of products.
        values = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        counts.append(values.numel() * layer.weight[0].numel())  # type: ignore[operator, union-attr]

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    network(torch.zeros(1, 3, 16, 24))
    for hook in hooks:
        hook.remove()
    assert len(counts) == 10
    assert multiply_adds(network, (16, 24)) == sum(counts)


def test_frames_of_odd_sizes_count_with_what_they_grow_to() -> None:
    network = RealtimeGenerator(24, 1)
    assert multiply_adds(AnySize(network, 8, 8), (13, 22)) == multiply_adds(network, (16, 24)) > 0


# --- parameters ---


def test_parameters_count_once() -> None:
    assert parameters(ResNetGenerator()) == 11_378_179  # as published
    layer = nn.Linear(3, 4)
    assert parameters(nn.ModuleList([layer, layer])) == 16


# --- speed ---


def test_speed_is_the_median_and_the_95th_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    # One slow frame warms up and ends that; of 40 that count, 37 take 10 ms, and the others more.
    clock = Clock([4.0, 0.5, 0.2, 0.1, *[0.01] * 37])
    monkeypatch.setattr(cost, "now", clock.now)
    found = speed(clock, (4, 4), frames=40)
    assert (found.frames_per_second, found.p95, found.frames) == pytest.approx((100, 100, 40))
    assert clock.painted == 41


def test_of_few_frames_the_slowest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([4.0, 0.3, 0.1, 0.1, 0.2])
    monkeypatch.setattr(cost, "now", clock.now)
    found = speed(clock, (4, 4), frames=4)
    assert (found.frames_per_second, found.p95, found.frames) == pytest.approx((1 / 0.15, 300, 4))


@pytest.mark.parametrize(("seconds", "frames"), [(1.0, 2), (1.3, 3), (0.0, 1)])
def test_no_frame_begins_after_the_time_is_up(seconds: float, frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([0.6])
    monkeypatch.setattr(cost, "now", clock.now)
    found = speed(clock, (4, 4), seconds=seconds)
    assert found.frames == frames
    assert clock.painted == 2 + frames  # two warm up, in a second


def test_a_frame_longer_than_the_time_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([7.0])
    monkeypatch.setattr(cost, "now", clock.now)
    assert speed(clock, (4, 4)) == Speed(1 / 7, 7000, 1)
    assert clock.painted == 1


def test_warming_up_ends_after_some_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([0.001])
    monkeypatch.setattr(cost, "now", clock.now)
    assert speed(clock, (4, 4)).frames == 200
    assert clock.painted == 205


@pytest.mark.gpu
def test_a_gpu_is_waited_for() -> None:
    large = torch.rand(8192, 8192, device="cuda")

    def paint(frames: Tensor) -> Tensor:
        for _ in range(20):
            large @ large
        return frames

    begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    paint(large)
    begun.record()
    paint(large)
    ended.record()
    now(large.device)
    assert speed(paint, (4, 4), "cuda", frames=5).p95 > 0.5 * begun.elapsed_time(ended)


# --- all of it ---


@pytest.fixture
def method() -> CycleGAN:
    options: dict[str, Any] = {"palette_weight": 0.0, "texture_weight": 0.0, "random_gram_weight": 0.0, "temporal_critic": None}
    return CycleGAN(partial(RealtimeGenerator, 24, 1), partial(PatchGAN, 4, 1, "none"), **options).eval()


def test_a_method_is_measured_by_what_it_repaints_with(method: CycleGAN) -> None:
    sizes = [(13, 22), (32, 48)]
    costs = measure(method, sizes, seconds=0.05)
    assert [found.size for found in costs] == sizes
    for found, grown in zip(costs, [(16, 24), (32, 48)], strict=True):
        assert found.parameters == parameters(RealtimeGenerator(24, 1))
        assert found.multiply_adds == multiply_adds(method.style_average, grown)
        assert found.memory >= 48 * grown[0] // 4 * grown[1] // 4 * 4  # what the first layer makes
        assert found.speed.frames >= 1
        assert 1000 / found.speed.p95 <= found.speed.frames_per_second * 1.001
        assert found.place.startswith("CPU")


def test_seconds_bound_what_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([0.6])
    monkeypatch.setattr(cost, "now", clock.now)
    (found,) = measure(clock, [(4, 4)], seconds=3.0)
    assert (found.speed.frames_per_second, found.speed.p95, found.speed.frames) == pytest.approx((1 / 0.6, 600, 5))
    assert clock.painted == 5 + 4  # one counts multiply-adds, two warm up, one is for memory
    assert found.parameters is None


def test_what_is_made_once_and_kept_is_not_in_the_memory() -> None:
    kept: list[Tensor] = []

    def paint(frames: Tensor) -> Tensor:
        if not kept:
            kept.append(torch.zeros(100, *frames.shape))
        return frames.sin()

    (found,) = measure(paint, [(32, 48)], seconds=0.0)
    assert found.memory == 3 * 32 * 48 * 4


def test_facts_say_size_and_unit() -> None:
    costs = [
        Cost((256, 448), "CPU, 2 threads", 56_789, 2_345_678_901, Speed(31.234, 35.678, 157), 52_632_640),
        Cost((720, 1280), "CPU, 2 threads", 56_789, 18_765_432_109, Speed(3.1234, 1356.78, 16), 421_061_120),
    ]
    assert facts(costs) == {
        "parameters": 56_789,
        "giga multiply-adds at 256x448": 2.35,
        "frames/s at 256x448": 31.2,
        "p95 ms at 256x448": 35.7,
        "frames timed at 256x448": 157,
        "peak MiB at 256x448, beside weights and frame": 50.2,
        "giga multiply-adds at 720x1280": 18.8,
        "frames/s at 720x1280": 3.12,
        "p95 ms at 720x1280": "1360 (slowest of 16)",
        "frames timed at 720x1280": 16,
        "peak MiB at 720x1280, beside weights and frame": 402.0,
        "measured on": "CPU, 2 threads",
    }


def test_facts_leave_out_what_has_no_meaning() -> None:
    found = facts([Cost((8, 8), "CPU, 1 thread", None, 0, Speed(1, 1, 20), 0)])
    assert [*found] == [
        "frames/s at 8x8",
        "p95 ms at 8x8",
        "frames timed at 8x8",
        "peak MiB at 8x8, beside weights and frame",
        "measured on",
    ]
    assert found["p95 ms at 8x8"] == 1
    assert facts([]) == {}


def test_mistakes_are_told_before_any_work(method: CycleGAN) -> None:
    painted: list[Tensor] = []

    def paint(frames: Tensor) -> Tensor:
        painted.append(frames)
        return frames

    with pytest.raises(ValueError, match="on gpu: expected a device that is there"):
        measure(paint, device="gpu")
    with pytest.raises(ValueError, match="size: expected height and width of at least 1, got 0x8"):
        measure(paint, [(8, 8), (0, 8)])
    assert not painted
    with pytest.raises(ValueError, match=r"30x32 on cpu: expected a frame that can be painted.*multiples of 8"):
        measure(method.stylize, [(30, 32)])
