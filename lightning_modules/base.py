"""What every method shares: manual optimisation counted in generator steps, averaged generators, and a checkpoint form."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from datamodules.batch import ClipBatch
from lightning_modules.checkpoint_file import read_checkpoint
from lightning_modules.generators.base import Generator
from lightning_modules.ops.describe import Describable
from lightning_modules.ops.statistics import full_precision
from lightning_modules.pool import Memory
from lightning_modules.slots import Slots


class StyleMethod(LightningModule, Describable, ABC):
    """A way to train a generator that repaints video.

    ``generator_step`` counts updates of the generators: the only step a person sees. Lightning's ``global_step`` counts every
    optimizer's. ``batches_seen`` counts training batches, critic-only and accumulated ones included.

    Args:
        steps: generator updates of the whole run, >= 1.
        n_critic: critic updates for each generator update, each on a batch of its own, >= 1.
        accumulate: batches whose gradients are added up for one update, >= 1.
        clip: largest norm of the gradient of an update; 0 leaves it as it is.
        constant: share of the run at the full learning rate; from there it falls linearly to 0, in [0, 1].
        average_decay: of the moving average of the generators, in [0, 1).
        seed: of the choices made in training.
    """

    def __init__(
        self, steps: int, n_critic: int, accumulate: int, clip: float, constant: float, average_decay: float, seed: int = 0
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.steps, self.n_critic, self.accumulate, self.clip, self.constant = steps, n_critic, accumulate, clip, constant
        self.average_decay, self.seed = average_decay, seed
        self.generator_step = 0
        self.batches_seen = 0
        self.last_step = False  # whether the run ends with the step of this batch, wherever that is
        self.slowed = 1.0  # times the learning rates; alarms may lower it
        self.skips: dict[str, int] = {}  # updates of each side left out one after the other, because a gradient was not finite
        self.blame: dict[str, str] = {}  # what the latest of each side was about
        self.window: dict[str, list[dict[str, Tensor]]] = {}  # the terms of each side since its last update
        self.betas: tuple[float, float] = (0.5, 0.999)
        self.said: set[str] = set()

    def refuse(self, problems: list[str]) -> None:
        """Raise one error with all that is wrong with the options, the shared ones included."""
        shared = (
            ("steps", self.steps, ">= 1", self.steps >= 1),
            ("n_critic", self.n_critic, ">= 1", self.n_critic >= 1),
            ("accumulate", self.accumulate, ">= 1", self.accumulate >= 1),
            ("clip", self.clip, ">= 0", self.clip >= 0),
            ("constant", self.constant, "in [0, 1]", 0 <= self.constant <= 1),
            ("average_decay", self.average_decay, "in [0, 1)", 0 <= self.average_decay < 1),
        )
        problems = [f"{name} must be {rule}, got {value}" for name, value, rule, good in shared if not good] + problems
        if problems:
            raise ValueError(f"{type(self).__name__}: " + "; ".join(dict.fromkeys(problems)))

    @abstractmethod
    def stylizer(self) -> Generator:
        """The network to repaint with: the averaged weights of the generator towards the style."""

    def unstylizer(self) -> Generator | None:
        """The network that makes content of painted frames again, where the method trains one."""
        return None

    @abstractmethod
    def preview(self, content: Tensor) -> dict[str, Tensor]:
        """Pictures that show how training goes: name to ``(B, T, 3, H, W)`` in [-1, 1], "stylized" among them."""

    @abstractmethod
    def networks(self) -> dict[str, Describable | None]:
        """The networks that constructor arguments (the keys) made, for the checkpoint to make them again."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store how to build this method, however it was built, in the form ``load_from_checkpoint`` understands."""
        built = {name: None if network is None else network.describe() for name, network in self.networks().items()}
        described = self.describe()
        if self.ranks > 1:
            self.join_memories(checkpoint["state_dict"])
        checkpoint["hyper_parameters"] = {
            "_class_path": described["class_path"],
            "_instantiator": "lightning.pytorch.cli.instantiate_module",
            **described["init_args"],
            **built,
            **({"init_from": None} if "init_from" in described["init_args"] else {}),
        }

    def join_memories(self, state: dict[str, Any]) -> None:
        """Put what every device remembers for its slots into one state; all devices must call this together."""
        mine = {
            name: {slot: [item.cpu() for item in kept] for slot, kept in module.items.items()}
            for name, module in self.named_modules()
            if isinstance(module, Memory)
        }
        everyone: list[dict[str, dict[int, list[Tensor]]]] = [{}] * self.ranks
        torch.distributed.all_gather_object(everyone, mine)
        for name in mine:
            state[f"{name}._extra_state"] = {"items": {slot: kept for one in everyone for slot, kept in one[name].items()}}

    @property
    def size_multiple(self) -> int:
        """What height and width must be multiples of."""
        return self.stylizer().size_multiple

    @property
    def min_size(self) -> int:
        """The smallest height and width."""
        return self.stylizer().min_size

    @torch.no_grad()
    def stylize(self, frames: Tensor) -> Tensor:
        """Repaint frames ``(..., 3, H, W)`` in [-1, 1] with the averaged weights; the same shape and range."""
        painted: Tensor = self.stylizer()(frames)
        return painted

    @abstractmethod
    def parameters_of(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        """The sides of the game: name to (parameters, learning rate), one optimizer each."""

    def configure_optimizers(self) -> list[Optimizer]:
        """One Adam for each side."""
        return [Adam(p, lr=lr, betas=self.betas, fused=True) for p, lr in self.parameters_of().values()]

    def update(self, side: str, terms: dict[str, Tensor]) -> None:
        """Backward of the sum of ``terms``; at the end of an accumulation window clip the gradient and take a step.

        A step whose gradient is not finite is left out and counted in ``skips``; ``blame`` says what it was about.
        """
        self.window.setdefault(side, []).append({name: value.detach() for name, value in terms.items()})
        self.manual_backward(torch.stack(list(terms.values())).sum() / self.accumulate)
        if (self.batches_seen + 1) % self.accumulate:
            return
        sides = self.parameters_of()
        parameters, lr = sides[side]
        optimizer = self.optimizers()[list(sides).index(side)]  # type: ignore[index]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if norm.isfinite():  # the same on all devices, whose gradients are one
            if self.clip > 0:
                nn.utils.clip_grads_with_norm_(parameters, self.clip, norm)
            for group in optimizer.param_groups:
                group["lr"] = lr * self.rate(self.generator_step) * self.slowed
            optimizer.step()
            self.skips[side] = 0
        else:
            self.skips[side] = self.skips.get(side, 0) + 1
            self.blame[side] = self.find_blame(side)
        optimizer.zero_grad(set_to_none=True)
        self.window[side] = []

    def find_blame(self, side: str) -> str:
        """Which terms and which networks' gradients are not finite, on any device; all devices must ask together."""
        terms = {name for batch in self.window[side] for name, value in batch.items() if not value.isfinite()}
        if self.ranks > 1:
            everyone: list[set[str]] = [set()] * self.ranks
            torch.distributed.all_gather_object(everyone, terms)
            terms = set().union(*everyone)
        networks = [
            name
            for name, network in self.named_children()
            if any(p.grad is not None and not p.grad.isfinite().all() for p in network.parameters())
        ]
        what = ", ".join(sorted(terms)) or "no term, but a gradient"
        where = f"gradients of {', '.join(networks)}" if networks else "the norm of them all overflows"
        return f"{side}: {what} ({where})"

    def undecided(self) -> dict[str, float]:
        """Terms that are critics' losses, penalties aside: name to the loss where real and painted cannot be told apart."""
        return {}

    def rate(self, step: int) -> float:
        """Share of the learning rate at a generator step: 1, then linearly down to 0 at the end of the run."""
        constant = self.constant * self.steps
        return 1.0 if step < constant else max(0.0, (self.steps - step) / max(self.steps - constant, 1))

    @property
    def ranks(self) -> int:
        """Devices that train together."""
        return self._trainer.world_size if self._trainer else 1

    def slots(self, size: int) -> Slots:
        """The places in the global batch of this batch of ``size`` clips."""
        update, part = divmod(self.batches_seen, self.accumulate)
        return Slots(self.seed, update, size, self.global_rank, self.ranks, part, self.accumulate)

    @property
    def generators_turn(self) -> bool:
        """Whether this batch updates the generators too: the last of every ``n_critic`` updates."""
        return (self.batches_seen // self.accumulate + 1) % self.n_critic == 0

    @property
    def row_due(self) -> bool:
        """Whether loggers get a row after this batch."""
        return (self.batches_seen + 1) % cast(Any, self.trainer).log_every_n_steps == 0

    def on_train_batch_start(self, batch: ClipBatch, batch_idx: int) -> None:
        """A row of the loggers holds what was measured in its batch, and comes at the same batches after a resume."""
        if (results := self.trainer._results) is not None:
            results.reset()  # Lightning would repeat older numbers until the epoch ends
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = self.batches_seen  # after a resume it counts one too many

    def on_train_batch_end(self, outputs: Any, batch: ClipBatch, batch_idx: int) -> None:
        """Count, and stop at the end of the run."""
        self.batches_seen += 1
        step = self.generator_step + 1  # of the generators, that this batch is part of
        if self.between_steps:
            self.generator_step = step
            self.average()
        self.log("step", float(step), batch_size=1)  # what loggers call the step of this row
        if self.generator_step >= self.steps or (self.last_step and self.between_steps):
            self.trainer.should_stop = True

    @property
    def between_steps(self) -> bool:
        """Whether the latest batch ended a step of the generators; checkpoints are made only here."""
        return self.batches_seen % (self.accumulate * self.n_critic) == 0

    @abstractmethod
    def average(self) -> None:
        """Let the averaged generators follow the trained ones."""

    def log_terms(self, terms: dict[str, Tensor]) -> None:
        """Log losses, unweighted, as ``train/<term>``; means over all devices."""
        values = torch.stack([full_precision(value.detach()) for value in terms.values()])
        if self.ranks > 1:
            torch.distributed.all_reduce(values)  # Lightning's own way waits for all devices before
            values /= self.ranks
        self.log_dict({f"train/{name}": value for name, value in zip(terms, values, strict=True)}, batch_size=1)

    def say_once(self, message: str) -> None:
        """Tell the person, once."""
        if message not in self.said:
            self.said.add(message)
            self.print(message)

    def start_from(self, path: str | None) -> None:
        """Take over the weights of another checkpoint (if any), as far as they fit, and say what did not."""
        if path is None:
            return
        theirs = self.adapted(read_checkpoint(path)["state_dict"])
        mine = self.state_dict()
        fitting = {
            name: value
            for name, value in theirs.items()
            if name in mine and isinstance(value, Tensor) and value.shape == mine[name].shape
        }
        self.load_state_dict(fitting, strict=False)
        left = [name for name, value in mine.items() if isinstance(value, Tensor) and name not in fitting]
        unused = [name for name, value in theirs.items() if isinstance(value, Tensor) and name not in fitting]
        print(f"{path}: {len(fitting)} tensors taken over; left as they were: {left or 'none'}; not used: {unused or 'none'}")

    def adapted(self, state: dict[str, Any]) -> dict[str, Any]:
        """Another checkpoint's weights in the form of this method's, as far as it knows how; here as they are."""
        return state

    def setup(self, stage: str) -> None:
        """Refuse clips that the networks cannot take, before any work."""
        data = getattr(self.trainer, "datamodule", None)
        if data is not None:
            self.refuse(self.clip_problems(data.size, data.frames))

    @abstractmethod
    def clip_problems(self, size: tuple[int, int], frames: int) -> list[str]:
        """What the networks cannot take of clips of this size (height, width) and length."""

    def get_extra_state(self) -> dict[str, float]:
        """The counters, as part of ``state_dict``."""
        batches = {"batches_seen": self.batches_seen, "batches_a_step": self.n_critic * self.accumulate}
        return {"generator_step": self.generator_step, "slowed": self.slowed, **batches}

    def set_extra_state(self, state: dict[str, float]) -> None:
        """The reverse; of a run with other accumulation or another ``n_critic`` in batches of this one."""
        self.generator_step, same = int(state["generator_step"]), self.n_critic * self.accumulate
        self.batches_seen = int(state["batches_seen"]) if state["batches_a_step"] == same else self.generator_step * same
        self.slowed = state["slowed"]


@contextmanager
def frozen(networks: Sequence[nn.Module]) -> Iterator[None]:
    """Gradients flow through these networks, none into their weights."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
