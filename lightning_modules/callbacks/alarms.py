"""What goes wrong in training without an error, as numbers in the log and a warning that says what to do."""

import sys
from typing import Any, Literal, NamedTuple, cast

import torch
from lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from datamodules.batch import ClipBatch
from lightning_modules.base import StyleMethod
from lightning_modules.ops.health import measure

WARM_UP = 100  # generator steps not judged: at first a generator may be nearly the identity or noise, or swing; loaders start
PATIENCE = 3  # checks in a row that must look ill: one batch alone may be strange


class Rule(NamedTuple):
    """What a number tells when it is beyond ``limit``, and what to do then."""

    beyond: Literal["above", "below"]
    limit: float
    seen: str
    advice: str

    def broken(self, number: float) -> bool:
        """Whether this number is beyond the limit."""
        return number > self.limit if self.beyond == "above" else number < self.limit

    def message(self, number: float, step: int) -> str:
        """The warning."""
        return f"step {step}: {self.seen} ({number:.3g}, limit {self.limit:g}); {self.advice}"


# Each limit lies well away from what healthy runs show and from what runs made to fail show: docs/runs.md has both.
RULES = {
    "change": Rule(
        "below",
        0.01,  # 2.5 of 255 levels, which nobody sees
        "the output hardly differs from the input",
        "raise --model.image_weight or --model.palette_weight, or lower --model.identity_weight and --model.cycle_weight",
    ),
    "contrast": Rule(
        "below",
        0.01,  # a tenth of the input's contrast; the number is a ratio of variances
        "the output has hardly any contrast",
        "lower --model.lr, raise --model.cycle_weight, or start again from an earlier checkpoint (--model.init_from)",
    ),
    "tone": Rule(
        "below",
        -0.3,  # 0 is no relation at all; untrained networks reach -0.2
        "the output's light and shade are inverted",
        "raise --model.identity_weight or --model.cycle_weight, or start again with another --seed",
    ),
    "checkerboard": Rule(
        "above",
        0.04,  # a pattern of 3 levels of 255 on photographs; an untrained transposed convolution's is at 0.1
        "the output's fine detail repeats every 2 or 4 pixels",
        "set --model.generator.upsample resize, or use RealtimeGenerator",
    ),
    "motion": Rule(
        "below",
        0.1,  # a heavy blur leaves 0.4
        "the output hardly moves where the input moves",
        "lower --model.temporal_weight, and set --model.temporal warped if it is unwarped",
    ),
    "waiting": Rule(
        "above",
        0.5,  # a GPU that is paid for twice
        "training waits for data more than it computes",
        "raise --data.workers, pack Vimeo-90K with python -m datamodules.pack, or make the videos smaller",
    ),
}
CERTAINTY = Rule(
    "above",
    0.95,
    "a critic is almost certain everywhere and teaches the generator nothing",
    "lower --model.critic_lr, add --model.penalty r1, or make the critic smaller",
)


class Alarms(Callback):
    """Logs ``alarm/<name>`` and warns on standard error, once a run for each, also when the run is resumed.

    Every so often the averaged generator paints the batch's content once more. Its numbers and the certainty of the critics
    are judged after ``WARM_UP`` generator steps, where ``PATIENCE`` checks in a row look ill; an update left out because its
    gradient was not finite counts at once. Numbers are those of all devices together, so all decide alike.

    Args:
        every: generator steps between two checks, >= 1; loggers see those that coincide with one of their rows.
        nonfinite: what to do when an update is left out: ``stop`` the run after ``max_skipped`` of one side in a row, or
            before that also ``back_off``, halving the learning rates each time.
        max_skipped: >= 1.

    Raises:
        ValueError: options out of range; while training, ``max_skipped`` updates in a row were left out.
    """

    def __init__(self, every: int = 20, nonfinite: Literal["stop", "back_off"] = "stop", max_skipped: int = 10) -> None:
        if min(every, max_skipped) < 1:
            raise ValueError(f"alarms: expected every >= 1 and max_skipped >= 1, got {every} and {max_skipped}")
        self.every, self.nonfinite, self.max_skipped = every, nonfinite, max_skipped
        self.skipped = 0
        self.in_a_row: dict[str, int] = {}  # left-out updates of each side
        self.ill: dict[str, int] = {}  # checks one after the other that looked ill, of each number
        self.said: list[str] = []
        self.waiting = 0.0  # at the last check, to tell a new measurement from an old one

    def state_dict(self) -> dict[str, Any]:
        """Counters, and what was said."""
        return {"skipped": self.skipped, "ill": dict(self.ill), "said": list(self.said)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The reverse."""
        self.skipped, self.ill, self.said = state_dict["skipped"], dict(state_dict["ill"]), list(state_dict["said"])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: ClipBatch, batch_idx: int
    ) -> None:
        """Count what was left out in this batch, which its method has not counted yet; check when it ends a due step."""
        method = cast(StyleMethod, pl_module)
        step = method.generator_step + 1
        self.count(trainer, method, step)
        method.log("alarm/skipped", float(self.skipped), batch_size=1)
        if (method.batches_seen + 1) % (method.accumulate * method.n_critic) == 0 and step % self.every == 0:
            self.check(trainer, method, batch, step)

    def count(self, trainer: Trainer, method: StyleMethod, step: int) -> None:
        """Warn of the first update left out; back off; stop after too many. Gradients, so counts, are alike on all devices."""
        left_out = [side for side, count in method.skips.items() if count > self.in_a_row.get(side, 0)]
        self.in_a_row = dict(method.skips)
        for side in left_out:
            self.skipped += 1
            if self.nonfinite == "back_off":
                method.slowed /= 2
            about = f"a gradient was not finite: {method.blame[side]}"
            options = "a lower --model.lr, --model.clip 1 or --trainer.precision 32-true"
            options += ", or --alarms.nonfinite back_off" if self.nonfinite == "stop" else ""
            if self.in_a_row[side] >= self.max_skipped:
                raise ValueError(
                    f"step {step}: {self.in_a_row[side]} updates of the {side} in a row were left out, because {about}; "
                    f"resume from the last checkpoint, whose weights are good, with {options}"
                )
            self.say(
                trainer, "skipped", f"step {step}: an update was left out, because {about}; if it happens again, try {options}"
            )

    def check(self, trainer: Trainer, method: StyleMethod, batch: ClipBatch, step: int) -> None:
        """Measure, log and judge."""
        numbers, certainty = self.numbers(trainer, method, batch), certainties(trainer, method)
        waiting = numbers.pop("waiting", self.waiting)
        method.log_dict({f"alarm/{name}": number for name, number in (numbers | certainty).items()}, batch_size=1)
        if waiting != self.waiting:
            numbers["waiting"] = self.waiting = waiting
        if step <= WARM_UP:
            return
        for name, number in (numbers | certainty).items():
            rule = RULES.get(name, CERTAINTY)
            self.ill[name] = self.ill.get(name, 0) + 1 if rule.broken(number) else 0
            if self.ill[name] >= PATIENCE:
                self.say(trainer, name, rule.message(number, step))

    def numbers(self, trainer: Trainer, method: StyleMethod, batch: ClipBatch) -> dict[str, float]:
        """Quotients of sums over all devices, where there is something to divide by."""
        content = batch.content.frames
        sums = measure(method.stylize(content), content)
        waited = trainer.callback_metrics.get("throughput/waiting")
        if waited is not None:
            sums["waiting"] = waited.to(content), content.new_ones(())
        totals = torch.stack([torch.stack(pair) for pair in sums.values()])
        totals = cast(torch.Tensor, trainer.strategy.reduce(totals, reduce_op="sum"))
        return {name: above / below for name, (above, below) in zip(sums, totals.tolist(), strict=True) if below > 0}

    def say(self, trainer: Trainer, name: str, message: str) -> None:
        """Warn, once a run, on the first device."""
        if name in self.said:
            return
        self.said.append(name)
        if trainer.is_global_zero:
            tqdm.write(f"warning: {message}", file=sys.stderr)  # above the line that shows how training goes


def certainties(trainer: Trainer, method: StyleMethod) -> dict[str, float]:
    """How certain each critic is, penalties aside: 0 when it cannot tell real from painted, 1 when it has nothing to learn."""
    losses = trainer.callback_metrics  # means over all devices
    return {
        f"certainty_{name}": 1 - float(losses[f"train/{name}"]) / most
        for name, most in method.undecided().items()
        if f"train/{name}" in losses
    }
