"""``--resume``: the same run, its options, its folder, and what is refused before any work."""

import csv
from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import Namespace

from datamodules.batch import ClipBatch
from fit.cli import as_resumed, main
from fit.resume import take_note
from lightning_modules.cyclegan import CycleGAN

SMALL = [
    "--card=0",
    "--data.size=[32,32]",
    "--data.batch_size=1",
    "--data.workers=0",
    "--samples.clips=1",
    "--trainer.log_every_n_steps=1",
]
SMALL += ["--model.generator=RealtimeGenerator", "--model.generator.depth=1", "--checkpoints.every=2", "--seed=5"]


@pytest.fixture
def first() -> Path:
    """The folder of a complete run of three steps."""
    return Path(str(main([*SMALL, "--model.steps=3"]).folder))


def steps(folder: Path) -> list[int]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_goes_on_in_its_folder_with_its_options_and_those_given(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first / "checkpoints" / "step-000003.ckpt").unlink()  # so it goes on at step 2
    capsys.readouterr()
    cli = main(["--resume", "last", "--model.steps=5", "--model.lr=1e-4"])
    assert cli.folder == first
    assert cli.command[-2:] == ["--resume", str(first)], "what other ranks are told"
    assert list(first.parent.iterdir()) == [first]
    assert f"Resumed:      {first} at step 2 of 5" in capsys.readouterr().out
    assert steps(first) == [1, 2, 3, 4, 5]
    assert (cli.model.generator_step, cli.model.seed, cli.model.rates[0]) == (5, 5, 1e-4)
    config = yaml.safe_load((first / "config.yaml").read_text())
    assert config["resume"] is None
    assert config["model"]["init_args"]["steps"] == 5
    assert (
        torch.load(first / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]["_extra_state"]["generator_step"] == 5
    )


def test_what_a_run_was_started_from_is_not_needed_again(first: Path) -> None:
    source = first / "checkpoints" / "step-000003.ckpt"
    second = Path(str(main([*SMALL, "--model.steps=2", f"--model.init_from={source}", "--name=second"]).folder))
    source.unlink()
    assert main(["--resume", str(second), "--model.steps=3"]).model.generator_step == 3
    assert yaml.safe_load((second / "config.yaml").read_text())["model"]["init_args"]["init_from"] == str(source)


def test_the_same_run_in_wandb_and_no_other_for_who_repeats_it(first: Path) -> None:
    logger = Namespace(class_path="lightning.pytorch.loggers.WandbLogger", init_args=Namespace(id=None))
    config = Namespace(trainer=Namespace(logger=[logger]), model=Namespace(init_args=Namespace(init_from="a.ckpt")))
    assert as_resumed(config, None) is config
    take_note(first, wandb="abc")
    changed = as_resumed(config, first)
    assert changed.trainer.logger[0].init_args.id == "abc"
    assert changed.model.init_args.init_from is None
    assert (config.trainer.logger[0].init_args.id, config.model.init_args.init_from) == (None, "a.ckpt")


def test_goes_on_with_other_batches_at_the_sample_where_it_was(first: Path) -> None:
    drawn: list[int] = []

    def noting(self: CycleGAN, batch: ClipBatch, batch_idx: int) -> None:
        drawn.extend(draw.index for draw in batch.draws)
        return step(self, batch, batch_idx)

    step = CycleGAN.training_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CycleGAN, "training_step", noting)
        method = main(["--resume", "last", "--model.steps=5", "--data.batch_size=2", "--model.accumulate=2"]).model
    assert drawn == list(range(2, 10)), "three samples were seen: the batch of two that holds the last begins again"
    assert (method.generator_step, method.batches_seen) == (5, 10)


def test_a_configuration_cannot_resume(capsys: pytest.CaptureFixture[str]) -> None:
    Path("layer.yaml").write_text("resume: last")
    with pytest.raises(SystemExit) as left:
        main(["--config", "layer.yaml"])
    assert left.value.code == 2
    assert "expected --resume on the command line" in capsys.readouterr().err


def test_a_complete_run_says_so_and_stays(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    capsys.readouterr()
    main(["--resume", str(first)])
    assert "at step 3 of 3; --model.steps N trains on" in (said := capsys.readouterr().out)
    assert "Repaint a video with it" in said
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before


def test_a_run_without_a_checkpoint_begins_anew_in_its_folder(first: Path) -> None:
    for path in (first / "checkpoints").iterdir():
        path.unlink()
    cli = main(["--resume", first.name])
    assert cli.folder == first
    assert steps(first) == [1, 2, 3]


def test_a_damaged_checkpoint_is_passed_over(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newest = first / "checkpoints" / "step-000003.ckpt"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    main(["--resume", "last"])
    said = capsys.readouterr()
    assert "step-000003.ckpt" in said.err
    assert "at step 2 of 3" in said.out
    assert steps(first) == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--resume", "nowhere"], "--resume: expected the folder of a run"),
        (["--resume", "last", "--model.generator.depth=2"], "expected the networks of the run, got others"),
        (["--resume", "last", "--model.lrr=1"], "did you mean --model.lr?"),
        (["--resume", "last", "--data.size=[30,30]", "--model.steps=9"], "multiples of"),
    ],
)
def test_what_cannot_be_resumed_is_told_in_a_line_and_changes_nothing(
    options: list[str], told: str, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(options)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
