"""Runs made to fail set off their alarm, and no other; a healthy one sets off none."""

from collections.abc import Callable
from time import sleep
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning import Trainer
from torch import Tensor, nn
from torch.utils.data import Dataset

from datamodules.batch import ClipBatch, Clips
from datamodules.loading import ClipLoader
from lightning_modules.callbacks.alarms import PATIENCE, Alarms
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.generators.base import Generator

Build = Callable[..., CycleGAN]
Train = Callable[..., Trainer]
SIDE = 32
WARM_UP = 5
ENOUGH = WARM_UP + PATIENCE  # steps before the first warning
OFF = {f"{term}_weight": 0.0 for term in ("image", "clip", "cycle", "identity", "temporal")}


@pytest.fixture(autouse=True)
def young_for_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_modules.callbacks.alarms.WARM_UP", WARM_UP)


def scenes(count: int, seed: int = 0) -> Tensor:
    """Smooth light and shade with a little detail, moving: (count, 3, 3, SIDE, SIDE)."""
    draws = torch.Generator().manual_seed(seed)
    coarse = 0.5 * torch.randn(count * 3, 3, 6, 6, generator=draws)
    fine = 0.1 * torch.randn(count * 3, 3, SIDE, SIDE, generator=draws)
    return (F.interpolate(coarse, (SIDE, SIDE), mode="bicubic") + fine).clamp(-1, 1).unflatten(0, (count, 3))


def moving(count: int) -> list[ClipBatch]:
    """Batches of one clip of each domain; the style is reddish."""
    red = torch.tensor([0.3, 0.0, -0.3]).view(3, 1, 1)
    pairs = zip(scenes(count, 1), scenes(count, 2), strict=True)
    return [ClipBatch(Clips(content[None]), Clips((0.7 * style + red)[None])) for content, style in pairs]


class Fixed(Generator):
    """Always does the same, whatever it learns."""

    def __init__(self, rule: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.rule, self.nothing = rule, nn.Parameter(torch.zeros(()))

    def paint(self, frames: Tensor) -> Tensor:
        return self.rule(frames) + self.nothing * frames * 0


def pattern(rows: list[list[float]]) -> Tensor:
    repeats = SIDE // len(rows)
    return torch.tensor(rows).repeat(repeats, repeats)


def warned(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]


RULES: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "copy": (lambda x: x, {"change"}),
    "black": (lambda x: 0 * x - 0.5, {"contrast", "motion"}),  # what does not vary does not move either
    "inverted": (lambda x: -x, {"tone"}),
    "pattern of 2": (lambda x: x + pattern([[0.15, -0.15], [-0.15, 0.15]]), {"checkerboard"}),
    "pattern of 4": (lambda x: x + pattern([[0.4, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]), {"checkerboard"}),
    "healthy": (lambda x: (0.7 * x + 0.1).tanh(), set()),
}


@pytest.mark.parametrize("name", RULES)
def test_painters_that_fail_one_way(name: str, cyclegan: Build, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    rule, expected = RULES[name]
    alarms = Alarms(every=1)
    train(cyclegan(generator=lambda: Fixed(rule), temporal_critic=None, temporal_weight=0.0), moving(ENOUGH), [alarms])
    assert set(alarms.said) == expected
    assert len(warned(capsys)) == len(expected)


def test_frames_that_stand_still(
    cyclegan: Build, train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CycleGAN, "stylize", lambda _, frames: 0.8 * frames[:, :1].expand_as(frames))
    train(cyclegan(temporal_critic=None, temporal_weight=0.0), moving(ENOUGH), [Alarms(every=1)])
    (line,) = warned(capsys)
    assert "step 8: the output hardly moves where the input moves (0, limit 0.1); lower --model.temporal_weight" in line


class Gain(Generator):
    """Learns how much contrast to keep, from half of it on."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def paint(self, frames: Tensor) -> Tensor:
        return self.gain * frames


def test_a_run_for_the_identity_alone_ends_at_it(cyclegan: Build, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    method = cyclegan(generator=Gain, **OFF | {"identity_weight": 1.0}, temporal_critic=None, lr=0.05, average_decay=0.5)
    train(method, moving(40), [Alarms(every=2)])
    (line,) = warned(capsys)
    assert "the output hardly differs from the input" in line


@pytest.mark.parametrize("kind", ["hinge", "nonsaturating"])
def test_critics_too_fast_for_a_generator_that_learns_nothing(
    kind: str, cyclegan: Build, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    alarms, options = Alarms(every=2), {"temporal_critic": None, "pool": 0, "lr": 1e-12, "critic_lr": 0.01}
    black = {"generator": lambda: Fixed(RULES["black"][0])}
    train(cyclegan(**OFF | {"image_weight": 1.0}, **black, **options, adversarial=kind), moving(30), [alarms])
    assert "certainty_style_critic" in alarms.said
    assert any("a critic is almost certain everywhere" in line for line in warned(capsys))


def test_wasserstein_critics_have_no_certainty(cyclegan: Build, train: Train) -> None:
    method = cyclegan(adversarial="wasserstein", penalty="gradient", temporal_critic=None, temporal_weight=0.0)
    logged = train(method, moving(1), [Alarms(every=1)]).callback_metrics
    assert {name for name in logged if name.startswith("alarm/")} == {
        f"alarm/{name}" for name in ("skipped", "change", "contrast", "tone", "checkerboard", "motion")
    }


def forever_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_modules.adversarial.warped", lambda painted, *_: painted.mean() * float("nan"))


def test_nan_for_ever_stops_the_run_and_spoils_nothing(
    cyclegan: Build, train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, alarms = cyclegan(), Alarms(max_skipped=3)
    forever_nan(monkeypatch)
    with pytest.raises(
        ValueError, match=r"step 3: 3 updates of the generators in a row were left out, because .*: temporal"
    ) as end:
        train(method, moving(5), [alarms])
    assert "--trainer.precision 32-true, or --alarms.nonfinite back_off" in str(end.value)
    (line,) = warned(capsys)  # of the first, then nothing more until the end
    assert line.startswith("warning: step 1: an update was left out, because a gradient was not finite: generators: temporal (")
    assert (alarms.skipped, method.slowed) == (3, 1.0)
    assert all(p.isfinite().all() for p in method.parameters())


def test_backing_off_halves_the_rates_before_it_stops(cyclegan: Build, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    method = cyclegan(lr=0.1, constant=1.0)
    forever_nan(monkeypatch)
    with pytest.raises(ValueError, match="step 3: 3 updates") as end:
        train(method, moving(5), [Alarms(max_skipped=3, nonfinite="back_off")])
    assert "back_off" not in str(end.value)  # which was tried
    assert method.slowed == 1 / 8
    assert method.trainer.optimizers[1].param_groups[0]["lr"] == 0.001 / 4  # of the critics, whose last step was in batch 3


class Slow(Dataset[ClipBatch]):
    """Each batch takes far longer to load than to train on."""

    def __len__(self) -> int:
        return ENOUGH + 2

    def __getitem__(self, index: int) -> ClipBatch:
        sleep(0.1)
        return moving(1)[0]


def test_a_loader_that_is_too_slow(
    cyclegan: Build, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    method: Any = cyclegan(temporal_critic=None, temporal_weight=0.0)
    monkeypatch.setattr(method, "training_step", lambda *_: None)  # no work at all: not a matter of how busy the machine is
    options: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "log_every_n_steps": 1}
    trainer = Trainer(callbacks=[Throughput(), Alarms(every=1)], max_epochs=1, enable_progress_bar=False, **options)
    trainer.fit(method, ClipLoader(Slow(), batch_size=None))
    lines = [line for line in warned(capsys) if "waits for data" in line]
    assert len(lines) == 1
    assert "limit 0.5); raise --data.workers, pack" in lines[0]
