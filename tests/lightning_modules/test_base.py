"""Manual optimisation counted in generator steps, on a method of two numbers whose every step can be worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from datamodules.batch import ClipBatch
from lightning_modules.average import averaged
from lightning_modules.base import StyleMethod, frozen
from lightning_modules.generators.base import Generator
from lightning_modules.ops.describe import Describable

Train = Callable[..., Trainer]
Batches = Callable[..., list[ClipBatch]]
LR = {"generators": 0.5, "critics": 0.25}


class Gain(Generator):
    """Multiplies frames by a learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def paint(self, frames: Tensor) -> Tensor:
        return self.gain * frames


class Toy(StyleMethod):
    """Every batch pulls the gain and the critic's number by 1 and 2, times the number of the batch plus 1."""

    def __init__(
        self, steps: int = 100, n_critic: int = 1, accumulate: int = 1, clip: float = 0.0, constant: float = 1.0
    ) -> None:
        super().__init__(steps, n_critic, accumulate, clip, constant, average_decay=0.9)
        self.refuse([])
        self.generator, self.critic = Gain(), nn.Parameter(torch.tensor(0.0))
        self.mean = averaged(self.generator)
        # After every batch:
        self.gains: list[float] = []
        self.critics: list[float] = []
        self.counters: list[tuple[int, int]] = []
        self.averaged_at: list[int] = []

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        pull = batch_idx + 1.0
        if self.generators_turn:
            self.update("generators", {"pull": pull * self.generator.gain})
        self.update("critics", {"pull": 2 * pull * self.critic})
        self.say_once("Hello.")

    def on_train_batch_end(self, outputs: Any, batch: ClipBatch, batch_idx: int) -> None:
        super().on_train_batch_end(outputs, batch, batch_idx)
        self.gains.append(self.generator.gain.item())
        self.critics.append(self.critic.item())
        self.counters.append((self.generator_step, self.batches_seen))

    def configure_optimizers(self) -> list[Optimizer]:
        return [SGD(parameters, lr) for parameters, lr in self.parameters_of().values()]

    def parameters_of(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        return {"generators": ([self.generator.gain], LR["generators"]), "critics": ([self.critic], LR["critics"])}

    def stylizer(self) -> Generator:
        return self.mean

    def average(self) -> None:
        self.averaged_at.append(self.generator_step)
        self.mean.load_state_dict(self.generator.state_dict())

    def preview(self, content: Tensor) -> dict[str, Tensor]:
        return {"stylized": self.stylize(content)}

    def networks(self) -> dict[str, Describable | None]:
        return {}

    def clip_problems(self, size: tuple[int, int], frames: int) -> list[str]:
        return [f"wants 8x8, got {size[0]}x{size[1]}", f"wants 2 frames, got {frames}"] if size != (8, 8) else []


def diary(train: Train, batches: Batches, count: int, **options: Any) -> Toy:
    method = Toy(**options)
    train(method, batches(count, 1, 1, 8))
    return method


def test_one_update_of_each_side_a_batch(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 3)
    assert notes.gains == [1 - 0.5 * s for s in (1, 3, 6)]
    assert notes.critics == [-0.25 * 2 * s for s in (1, 3, 6)]
    assert notes.averaged_at == [1, 2, 3]
    assert notes.counters == [(1, 1), (2, 2), (3, 3)]


def test_generators_wait_for_their_turn(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 7, n_critic=3)
    # Every third batch, with the gradient of that batch alone.
    assert notes.gains == [1, 1, 1 - 1.5, -0.5, -0.5, -0.5 - 3, -3.5]
    assert notes.critics == [-0.5 * s for s in (1, 3, 6, 10, 15, 21, 28)]
    assert [step for step, _ in notes.counters] == [0, 0, 1, 1, 1, 2, 2]
    assert notes.averaged_at == [1, 2]


def test_accumulated_gradients_are_means(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 5, accumulate=2)
    assert notes.gains == [1, 1 - 0.5 * 1.5, 0.25, 0.25 - 0.5 * 3.5, -1.5]
    assert notes.critics == [0, -0.25 * 3, -0.75, -0.75 - 0.25 * 7, -2.5]
    assert [step for step, _ in notes.counters] == [0, 1, 1, 2, 2]


def test_accumulation_and_critic_updates_together(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 8, accumulate=2, n_critic=2)
    # Batches 3 and 4 make the first update of the generators, 7 and 8 the second.
    assert notes.gains == [1, 1, 1, 1 - 0.5 * 3.5, -0.75, -0.75, -0.75, -0.75 - 0.5 * 7.5]
    assert notes.critics[1::2] == [-0.25 * s for s in (3, 10, 21, 36)]
    assert notes.counters[-1] == (2, 8)


def test_gradients_are_clipped_side_by_side(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 3, clip=1.5)
    assert notes.gains == pytest.approx([1 - 0.5 * s for s in (1, 2.5, 4)], abs=1e-5)  # of 1, 2 and 3 at most 1.5
    assert notes.critics == pytest.approx([-0.25 * 1.5 * n for n in (1, 2, 3)], abs=1e-5)


def test_the_rate_falls_linearly() -> None:
    assert [Toy(steps=4, constant=1.0).rate(step) for step in range(4)] == [1, 1, 1, 1]
    assert [Toy(steps=4, constant=0.0).rate(step) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    assert [Toy(steps=8, constant=0.5).rate(step) for step in range(9)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]


def test_both_sides_learn_at_the_rate_of_the_generator_step(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 8, steps=4, constant=0.0, n_critic=2)
    pulls = [rate * 2 * (batch + 1) for batch, rate in enumerate((1, 1, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25))]
    assert notes.critics == pytest.approx([-0.25 * sum(pulls[: n + 1]) for n in range(8)])
    assert notes.gains[-1] == pytest.approx(1 - 0.5 * (1 * 2 + 0.75 * 4 + 0.5 * 6 + 0.25 * 8))


def test_stops_at_the_end_of_the_run(train: Train, batches: Batches) -> None:
    notes = diary(train, batches, 9, steps=2, n_critic=2)
    assert notes.counters[-1] == (2, 4)


def test_each_side_has_a_fused_adam() -> None:
    method = Toy()
    made = StyleMethod.configure_optimizers(method)
    assert [type(optimizer) for optimizer in made] == [Adam, Adam]
    assert [optimizer.param_groups[0]["lr"] for optimizer in made] == list(LR.values())
    assert all(optimizer.defaults["fused"] and optimizer.defaults["betas"] == method.betas for optimizer in made)


def test_a_last_step_is_a_whole_one(train: Train, batches: Batches) -> None:
    class Late(Toy):
        def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
            super().training_step(batch, batch_idx)
            self.last_step = self.last_step or batch_idx == 6

    method = Late(n_critic=2, accumulate=2)
    train(method, batches(20, 1, 1, 8))
    assert method.counters[-1] == (2, 8)


def test_counters_are_part_of_the_state() -> None:
    method, other, added_up = Toy(n_critic=3), Toy(n_critic=3), Toy(n_critic=3, accumulate=2)
    method.generator_step, method.batches_seen = 7, 22
    other.load_state_dict(method.state_dict())
    assert (other.generator_step, other.batches_seen) == (7, 22)
    added_up.load_state_dict(method.state_dict())
    assert (added_up.generator_step, added_up.batches_seen) == (7, 42), "in batches of its own"


def test_stylises_with_the_average_and_without_gradient() -> None:
    method = Toy()
    nn.init.constant_(method.generator.gain, 3.0)
    nn.init.constant_(method.mean.gain, 2.0)
    clips = torch.rand(2, 3, 3, 4, 4, requires_grad=True)
    painted = method.stylize(clips)
    torch.testing.assert_close(painted, 2 * clips)
    assert not painted.requires_grad
    assert (method.size_multiple, method.min_size) == (1, 1)


def test_frozen_networks_pass_gradients_on() -> None:
    network, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen([network, other]):
        other(network(x)).sum().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in (*network.parameters(), *other.parameters()))
    assert all(p.requires_grad for p in network.parameters())
    assert not other.bias.requires_grad  # what was frozen before stays so
    with pytest.raises(ZeroDivisionError), frozen([network]):
        raise ZeroDivisionError
    assert network.weight.requires_grad


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="Toy: ") as caught:
        Toy(steps=0, n_critic=0, accumulate=0, clip=-1, constant=1.5)
    told = str(caught.value)
    for problem in (
        "steps must be >= 1, got 0",
        "n_critic must",
        "accumulate must",
        "clip must be >= 0",
        "constant must be in",
    ):
        assert problem in told
    with pytest.raises(ValueError, match=r"Toy: one; two$"):
        Toy().refuse(["one", "two", "one"])


def test_clips_that_do_not_fit_are_refused_before_any_work() -> None:
    class Data:
        size, frames = (4, 4), 1

    method = Toy()
    method._trainer = type("Running", (), {"datamodule": Data()})()
    with pytest.raises(ValueError, match="Toy: wants 8x8, got 4x4; wants 2 frames, got 1"):
        method.setup("fit")


def test_says_things_once(train: Train, batches: Batches, capsys: pytest.CaptureFixture[str]) -> None:
    diary(train, batches, 3)
    assert capsys.readouterr().out.count("Hello.") == 1
