"""The line that shows how training goes."""

import io
import sys
from time import monotonic
from typing import Any, cast

from lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from lightning_modules.base import StyleMethod

BAR = "step {n_fmt}/{total_fmt} |{bar:12}| {remaining} left, {rate_fmt}{postfix}"


class Progress(Callback):
    """Shows generator steps, the time left and the losses by name, on standard error.

    On a terminal one line is redrawn; elsewhere (a log file) a line is written every half minute.
    """

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.terminal = False
        self.shown = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """One bar for the whole run, on the first rank."""
        if not trainer.is_global_zero:
            return
        method = cast(StyleMethod, pl_module)
        self.terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=method.steps,
            initial=method.generator_step,
            file=sys.stderr if self.terminal else io.StringIO(),
            bar_format=BAR,
            unit="step",
            dynamic_ncols=self.terminal,
            position=0,  # a bar that another part of the program left open would push this one down, line by line
        )
        self.shown = monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The step before this batch is counted by now. Reading losses makes a GPU wait, hence not at every step."""
        if monotonic() - self.shown >= (0.5 if self.terminal else 30):
            self.show(trainer, cast(StyleMethod, pl_module).generator_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last step, whenever it was."""
        self.show(trainer, cast(StyleMethod, pl_module).generator_step)
        self.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the line, so that the message starts on its own."""
        self.close()

    def show(self, trainer: Trainer, step: int) -> None:
        """Redraw the line, or write a new one."""
        if self.bar is None:
            return
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
        self.bar.set_postfix_str(" ".join(f"{name[6:]} {value:.3g}" for name, value in losses.items()), refresh=False)
        self.bar.update(step - self.bar.n)
        self.bar.refresh()
        if not self.terminal:
            print(self.bar, file=sys.stderr, flush=True)
        self.shown = monotonic()

    def close(self) -> None:
        """End the line."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
