"""``python -m fit``: one command line, whose options are the constructors of the method and of the data module."""

import argparse
import logging
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import torch.distributed
from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger

from datamodules.base import ClipDataModule
from fit.evaluate import evaluate
from fit.folder import new_folder, remove
from fit.messages import died, explain, fail
from fit.metrics_file import RunLogger
from fit.parser import Parser, classes_start_anew
from fit.ranks import RankLost, Ranks, first_process
from fit.resume import interrupted_run, job, last_checkpoint, notes, run_folder, take_note
from fit.run import SaveConfig, farewell, trainer
from fit.tracking import attached, close, hand_over
from lightning_modules.base import StyleMethod
from lightning_modules.callbacks.alarms import Alarms
from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.callbacks.progress import Progress
from lightning_modules.callbacks.stops import Stopped, requeue
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.callbacks.validation import Validation
from lightning_modules.callbacks.video_logger import VideoLogger
from lightning_modules.checkpoint_folder import numbered, step_of

DESCRIPTION = """Train a network that repaints video. Without options: CycleGAN on generated moving scenes. The options of a
method or a data module, such as --model.lr or --data.batch_size: --model.help, --data.help, --data.help NAME. Configurations
are layered: --config fit/recipes/vimeo90k.yaml --config fit/recipes/wandb.yaml --model.lr 1e-4."""
USAGE = "python -m fit [--config FILE]... [--model NAME] [--model.OPTION VALUE]... [--data NAME] [--data.OPTION VALUE]..."


class StyleCLI(LightningCLI):
    """Builds everything from the command line, in the order that leaves nothing behind when something is wrong."""

    folder: Path | None = None
    begun = 0  # the generator step it starts from
    resumed: Path | None = None
    words: list[str]
    command: list[str]
    ranks: Ranks

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The seed of everything random."""
        parser.add_argument("--seed_everything", "--seed", type=NonNegativeInt, default=0, help="of all random choices")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The run's name, what it writes besides metrics, and the defaults."""
        parser.add_argument("--name", type=str | None, default=None, help="last part of the run folder's name")
        parser.add_argument("--resume", type=str | None, default=None, help="go on with a run: its folder, or last")
        parser.add_argument("--card", type=NonNegativeInt, default=8, help="clips that the card at the end judges; 0: no card")
        parser.add_lightning_class_args(Validation, "validation")  # before checkpoints, which look for the best value
        parser.add_lightning_class_args(VideoLogger, "samples")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.add_lightning_class_args(Alarms, "alarms")
        parser.set_defaults({"model": "lightning_modules.cyclegan.CycleGAN", "data": "datamodules.moving_scenes.MovingScenes"})
        parser.link_arguments("seed_everything", "data.init_args.seed")
        parser.link_arguments("seed_everything", "model.init_args.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """The command line to ``config``; that of a resumed run is a layer on top of what the run was."""
        words = list(sys.argv[1:] if args is None else args)
        cast(Parser, parser).remember(words)
        name, self.words = resumed(words), words
        self.resumed = run_folder(name) if name else interrupted_run(words)
        before = ["--config", str(self.resumed / "config.yaml")] if self.resumed else []
        # For another rank "last" may be another run by now: it is told which.
        self.command = [sys.executable, "-m", "fit", *words, *(["--resume", str(self.resumed)] if self.resumed else [])]
        with classes_start_anew():
            self.config = parser.parse_args([*before, *words])
        if self.config.resume and not (name or self.resumed):
            raise ValueError("resume: expected --resume on the command line, got it in a configuration; say it there")
        self.config.resume = None  # said of a command, not of a run

    def instantiate_classes(self) -> None:
        """Constructors first, the run folder last."""
        mistakes = Mistakes()
        ours = [(mistakes.build, kind, True) for kind in (StyleMethod, ClipDataModule, Callback)]
        self.config_init = self.parser.instantiate(as_resumed(self.config, self.resumed), instantiators=ours)
        if mistakes:
            fail("; ".join(mistakes))
        self.model, self.datamodule = self.config_init.model, self.config_init.data
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add what every run has."""
        given = self.config_init.trainer
        self.folder = self.resumed or new_folder(self.config.name or type(self.model).__name__.lower())
        self.ranks = Ranks(given.devices, self.command)
        loggers = [given.logger] if isinstance(given.logger, Logger) else given.logger or []
        callbacks = [Throughput(), Progress(), *(given.callbacks or [])]
        try:
            loggers = [RunLogger(self.folder), *attached(loggers)]
            made = super().instantiate_trainer(logger=loggers, callbacks=callbacks, **kwargs)
            cast(Any, made).log_every_n_steps *= self.model.n_critic * self.model.accumulate  # of the generators, not batches
            return made
        except BaseException:
            self.ranks.close(failed=True)
            self.take_back()
            raise

    def train(self) -> None:
        """Train, or go on with it, and say where things are."""
        status, lost = 1, ""
        try:
            self.datamodule.trainer = self.trainer
            if first_process():  # folders are looked at before loggers and other processes start anything
                self.datamodule.setup("fit")
            self.model.refuse(self.model.clip_problems(self.datamodule.size, self.datamodule.frames))
            checkpoint = self.go_on()
            if self.model.steps > self.begun:
                self.ranks.start()
                self.fit(checkpoint)
            status = 0
        except Stopped as stop:
            status = int(str(stop.code))
            raise
        finally:
            if status != 1 and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()  # of all ranks at about the same time
            lost = self.ranks.close(failed=status == 1)
            self.finish(status)
        if lost:
            raise RankLost(lost)

    def go_on(self) -> Path | None:
        """The checkpoint of a resumed run; its metrics are cut back to that."""
        checkpoint, self.begun = last_checkpoint(self.resumed, self.model) if self.resumed else (None, 0)
        if self.resumed and first_process():
            cast(RunLogger, self.trainer.loggers[0]).keep(self.begun)
            more = "; --model.steps N trains on" if self.begun >= self.model.steps else ""
            print(f"Resumed:      {self.resumed} at step {self.begun} of {self.model.steps}{more}")
        return checkpoint

    def fit(self, checkpoint: Path | None) -> None:
        """Train on all devices; an error because another rank is gone says so."""
        if first_process() and self.folder:
            take_note(self.folder, job=job(), command=self.words)
            clips, devices, added = self.datamodule.batch_size, self.trainer.world_size, self.model.accumulate
            print(
                f"Global batch: {clips * devices * added} clips ({clips} on each device, {devices} of these, {added} added up)"
            )
        try:
            self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=checkpoint, weights_only=True)
        except Exception as error:
            if explain(error) is None and (reason := self.ranks.casualty(wait=3.0)):
                raise RankLost(reason) from error
            raise

    def finish(self, status: int) -> None:
        """Close what outlives the trainer. A run that has not made a step leaves no folder."""
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        if first_process() and self.folder:
            if saved := numbered(self.folder / "checkpoints"):
                if status == 0 and self.config.card and step_of(saved[-1]) >= self.model.steps > self.begun:
                    self.hand_in_card(self.folder)
                print(farewell(self.folder, step_of(saved[-1]), self.model.steps))
            elif not self.model.generator_step:
                self.take_back()
        close(self.trainer.loggers, status)
        if status == 128 + signal.SIGUSR1 and first_process():
            requeue()

    def hand_in_card(self, folder: Path) -> None:
        """Judge a run that is complete. Whatever goes wrong with that does not undo the run."""
        print("Judging the network on photographs in motion that are never trained on (--card 0 leaves this out) ...")
        try:
            card = evaluate([folder], clips=self.config.card, speed=[(720, 1280)])
            hand_over(self.trainer.loggers, card, folder / "card", self.model.steps)
        except KeyboardInterrupt:
            print("interrupted; no card")
        except Exception as error:
            print(f"warning: no card: {' '.join(str(error).split())}", file=sys.stderr)

    def take_back(self) -> None:
        """Remove the folder of a run that has not begun."""
        if self.folder and not self.resumed and first_process():
            remove(self.folder)


def resumed(words: list[str]) -> str | None:
    """What ``--resume`` names on a command line."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("--resume", nargs="?")
    found: str | None = reader.parse_known_args(words)[0].resume
    return found


def as_resumed(config: Namespace, folder: Path | None) -> Namespace:
    """The configuration to build a run from: of a resumed one with its W&B run, and not from another checkpoint again."""
    if folder is None:
        return config
    changed: Namespace = config.clone()
    loggers, identity = changed.trainer.logger, notes(folder).get("wandb")
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        if identity and logger and logger.class_path.endswith("WandbLogger"):
            logger.init_args.id = identity
    if numbered(folder / "checkpoints") and "init_from" in changed.model.init_args:
        changed.model.init_args.init_from = None
    return changed


class Mistakes(list[str]):
    """What constructors have refused, as they say it, before a parser wraps it into what else it has tried."""

    def build(self, kind: type, *args: Any, **kwargs: Any) -> Any:
        """Call a constructor; None where it refuses, so that others are heard as well."""
        try:
            return kind(*args, **kwargs)
        except (ValueError, OSError) as error:
            self.append(str(error))
            return None


def quiet() -> None:
    """Leave to Lightning what a person can act on."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for advice in (
        ".*val_dataloader. but have no .validation_step",
        ".*LeafSpec",
        ".*does not have many workers",
        ".*logging interval",
        ".*in eval mode at the start of training",  # the averages, which are never trained
    ):
        warnings.filterwarnings("ignore", message=advice)


def command_line(kind: type[StyleCLI], args: list[str] | None) -> StyleCLI:
    """Read a command line, as ``main`` does, and build what ``kind`` builds of it."""
    return kind(
        StyleMethod,
        ClipDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        trainer_class=trainer,
        save_config_callback=SaveConfig,
        save_config_kwargs={"save_to_log_dir": False},  # it writes the file itself
        parser_class=Parser,
        parser_kwargs={"description": DESCRIPTION, "usage": USAGE, "prog": "python -m fit"},
        auto_configure_optimizers=False,
        load_from_checkpoint_support=False,  # StyleMethod stores how it was built, from notebooks too
        run=False,
        args=args,
    )


def main(args: list[str] | None = None) -> StyleCLI:
    """Train as the command line says.

    Args:
        args: the command line; None takes the process's own.

    Returns:
        The command line with its ``model``, ``datamodule``, ``trainer`` and ``folder``, for notebooks.

    Raises:
        SystemExit: status 2 and one line on standard error for a mistake, which leaves nothing behind.
    """
    quiet()
    try:
        cli = command_line(StyleCLI, args)
    except (ValueError, OSError, ImportError, MisconfigurationException) as error:
        fail(error)
    try:
        cli.train()
    except Exception as error:
        if line := died(error):
            fail(line, status=1)
        if line := explain(error):
            fail(line)
        raise
    return cli
