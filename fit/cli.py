"""``python -m fit``: one command line, whose options are the constructors of the method and of the data module."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import torch.distributed
from jsonargparse.typing import NonNegativeInt
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger, WandbLogger

from datamodules.base import ClipDataModule
from fit.messages import explain, fail
from fit.parser import Parser, classes_start_anew
from fit.run import RunLogger, SaveConfig, farewell, new_folder, remove, trainer
from lightning_modules.base import StyleMethod
from lightning_modules.callbacks.alarms import Alarms
from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.callbacks.progress import Progress
from lightning_modules.callbacks.throughput import Throughput
from lightning_modules.callbacks.video_logger import VideoLogger

DESCRIPTION = """Train a network that repaints video. Without options: CycleGAN on generated moving scenes. The options of a
method or a data module, such as --model.lr or --data.batch_size: --model.help, --data.help, --data.help NAME. Configurations
are layered: --config fit/recipes/vimeo90k.yaml --config fit/recipes/wandb.yaml --model.lr 1e-4."""
USAGE = "python -m fit [--config FILE]... [--model NAME] [--model.OPTION VALUE]... [--data NAME] [--data.OPTION VALUE]..."


class StyleCLI(LightningCLI):
    """Builds everything from the command line, in the order that leaves nothing behind when something is wrong."""

    folder: Path | None = None

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The seed of everything random."""
        parser.add_argument("--seed_everything", "--seed", type=NonNegativeInt, default=0, help="of all random choices")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The run's name, what it writes besides metrics, and the defaults."""
        parser.add_argument("--name", type=str | None, default=None, help="last part of the run folder's name")
        parser.add_lightning_class_args(VideoLogger, "samples")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.add_lightning_class_args(Alarms, "alarms")
        parser.set_defaults({"model": "lightning_modules.cyclegan.CycleGAN", "data": "datamodules.moving_scenes.MovingScenes"})
        parser.link_arguments("seed_everything", "data.init_args.seed")
        parser.link_arguments("seed_everything", "model.init_args.seed")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """The command line to ``config``."""
        cast(Parser, parser).remember(sys.argv[1:] if args is None else args)
        with classes_start_anew():
            self.config = parser.parse_args(args)

    def instantiate_classes(self) -> None:
        """Constructors first, the run folder last."""
        ours = [(build, StyleMethod, True), (build, ClipDataModule, True)]
        self.config_init = self.parser.instantiate(self.config, instantiators=ours)
        self.model, self.datamodule = self.config_init.model, self.config_init.data
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add what every run has. Throughput stands first: it counts the others' work as work."""
        given = self.config_init.trainer
        self.folder = new_folder(self.config.name or type(self.model).__name__.lower())
        loggers = [given.logger] if isinstance(given.logger, Logger) else given.logger or []
        callbacks = [Throughput(), Progress(), *(given.callbacks or [])]
        try:
            return super().instantiate_trainer(logger=[RunLogger(self.folder), *loggers], callbacks=callbacks, **kwargs)
        except Exception:
            remove(self.folder)
            raise

    def train(self) -> None:
        """Train, and say where things are."""
        try:
            # Folders are looked at before loggers start anything.
            self.datamodule.trainer = self.trainer
            self.datamodule.setup("fit")
            self.trainer.fit(self.model, datamodule=self.datamodule)
        finally:
            self.finish()

    def finish(self) -> None:
        """Close what outlives the trainer. A run that has not made a step leaves no folder."""
        if any(isinstance(logger, WandbLogger) for logger in self.trainer.loggers):
            import wandb

            wandb.finish()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        if self.folder and self.trainer.is_global_zero:
            if (self.folder / "checkpoints" / "last.ckpt").exists():
                print(farewell(self.folder))
            elif not self.model.generator_step:
                remove(self.folder)


def build(kind: type, *args: Any, **kwargs: Any) -> Any:
    """Call a constructor; what it refuses is said as it is, before a parser wraps it into what else it has tried."""
    try:
        return kind(*args, **kwargs)
    except (ValueError, OSError) as error:
        fail(error)


def quiet() -> None:
    """Leave to Lightning what a person can act on."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for advice in (
        ".*val_dataloader. but have no .validation_step",
        ".*LeafSpec",
        ".*does not have many workers",
        ".*logging interval",
    ):
        warnings.filterwarnings("ignore", message=advice)


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
        cli = StyleCLI(
            StyleMethod,
            ClipDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            trainer_class=trainer,
            save_config_callback=SaveConfig,
            parser_class=Parser,
            parser_kwargs={"description": DESCRIPTION, "usage": USAGE, "prog": "python -m fit"},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,  # StyleMethod stores how it was built, from notebooks too
            run=False,
            args=args,
        )
    except (ValueError, OSError, ImportError, MisconfigurationException) as error:
        fail(error)
    try:
        cli.train()
    except Exception as error:
        if line := explain(error):
            fail(line)
        raise
    return cli
