"""What every method shares: manual optimisation counted in generator steps, averaged generators, and a checkpoint form."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from datamodules.batch import ClipBatch
from lightning_modules.checkpoint_file import read_checkpoint
from lightning_modules.generators.base import Generator
from lightning_modules.ops.describe import Describable


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
    """

    def __init__(self, steps: int, n_critic: int, accumulate: int, clip: float, constant: float, average_decay: float) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.steps, self.n_critic, self.accumulate, self.clip, self.constant = steps, n_critic, accumulate, clip, constant
        self.average_decay = average_decay
        self.generator_step = 0
        self.batches_seen = 0
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
        checkpoint["hyper_parameters"] = {
            "_class_path": described["class_path"],
            "_instantiator": "lightning.pytorch.cli.instantiate_module",
            **described["init_args"],
            **built,
            **({"init_from": None} if "init_from" in described["init_args"] else {}),
        }

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

    def update(self, side: str, loss: Tensor) -> None:
        """Backward; at the end of an accumulation window clip the gradient and take the optimizer's step."""
        self.manual_backward(loss / self.accumulate)
        if (self.batches_seen + 1) % self.accumulate:
            return
        sides = self.parameters_of()
        parameters, lr = sides[side]
        optimizer = self.optimizers()[list(sides).index(side)]  # type: ignore[index]
        if self.clip > 0:
            nn.utils.clip_grad_norm_(parameters, self.clip)
        for group in optimizer.param_groups:
            group["lr"] = lr * self.rate(self.generator_step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def rate(self, step: int) -> float:
        """Share of the learning rate at a generator step: 1, then linearly down to 0 at the end of the run."""
        constant = self.constant * self.steps
        return 1.0 if step < constant else max(0.0, (self.steps - step) / max(self.steps - constant, 1))

    @property
    def generators_turn(self) -> bool:
        """Whether this batch updates the generators too: the last of every ``n_critic`` updates."""
        return (self.batches_seen // self.accumulate + 1) % self.n_critic == 0

    def on_train_batch_end(self, outputs: Any, batch: ClipBatch, batch_idx: int) -> None:
        """Count, and stop at the end of the run."""
        window_ends = (self.batches_seen + 1) % self.accumulate == 0
        if window_ends and self.generators_turn:
            self.generator_step += 1
            self.average()
        self.batches_seen += 1
        self.log("step", float(self.generator_step), batch_size=1)  # what loggers call the step of this row
        if self.generator_step >= self.steps:
            self.trainer.should_stop = True

    @abstractmethod
    def average(self) -> None:
        """Let the averaged generators follow the trained ones."""

    def log_terms(self, terms: dict[str, Tensor]) -> None:
        """Log losses, unweighted, as ``train/<term>``."""
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()}, batch_size=1)

    def say_once(self, message: str) -> None:
        """Tell the person, once."""
        if message not in self.said:
            self.said.add(message)
            self.print(message)

    def start_from(self, path: str | None) -> None:
        """Take over the weights of another checkpoint (if any), as far as they fit, and say what did not."""
        if path is None:
            return
        theirs = read_checkpoint(path)["state_dict"]
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

    def setup(self, stage: str) -> None:
        """Refuse clips that the networks cannot take, before any work."""
        data = getattr(self.trainer, "datamodule", None)
        if data is not None:
            self.refuse(self.clip_problems(data.size, data.frames))

    @abstractmethod
    def clip_problems(self, size: tuple[int, int], frames: int) -> list[str]:
        """What the networks cannot take of clips of this size (height, width) and length."""

    def get_extra_state(self) -> dict[str, int]:
        """The counters, as part of ``state_dict``."""
        return {"generator_step": self.generator_step, "batches_seen": self.batches_seen}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """The reverse."""
        self.generator_step, self.batches_seen = state["generator_step"], state["batches_seen"]


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
