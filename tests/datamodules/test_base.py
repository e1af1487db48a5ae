"""The loaders and the device's work: the same batches for any number of workers and ranks, and after any interruption."""

import hashlib
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from PIL import Image

from datamodules.base import ClipDataModule
from datamodules.batch import ClipBatch, Clips, Failure
from datamodules.errors import DataError
from datamodules.moving_scenes import MovingScenes
from datamodules.source import ClipSource, Split

SIDE = 16


class Toy(ClipDataModule):
    """Ten clips of content, 0 to 9; three of style, 100 to 102. Validation: 200 to 203 with 210 to 211."""

    def __init__(self, numbered: Any, log: Path | None = None, broken: tuple[int, ...] = (), **options: Any) -> None:
        self.numbered, self.log, self.broken = numbered, log, broken
        super().__init__(**({"size": (SIDE, SIDE), "frames": 2, "workers": 0, "flip": 0, "jitter": 0} | options))

    def content_clips(self, split: Split) -> ClipSource:
        return self.numbered(10, broken=self.broken, log=self.log) if split == "train" else self.numbered(4, 200)

    def style_clips(self, split: Split) -> ClipSource:
        return self.numbered(3, 100) if split == "train" else self.numbered(2, 210)


@pytest.fixture
def toy(numbered: Any) -> Any:
    return lambda **options: Toy(numbered, **options)


def numbers(clips: Clips) -> list[int]:
    return clips.frames[:, 0, 0, 0, 0].tolist()


def running(training: bool = True, done: int = 0, rank: int = 0, ranks: int = 1) -> Any:
    """A trainer, as far as a data module looks at it."""
    progress = SimpleNamespace(total=SimpleNamespace(processed=done))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    return SimpleNamespace(training=training, fit_loop=loop, global_rank=rank, world_size=ranks)


def epochs(data: ClipDataModule, count: int, rank: int = 0, ranks: int = 1, start: str | None = None) -> list[ClipBatch]:
    """The training batches of some epochs, as Lightning would fetch them."""
    data.trainer = running(rank=rank, ranks=ranks)
    data.setup()
    loader = data.train_dataloader()
    loader.multiprocessing_context = start if loader.num_workers else None
    batches: list[ClipBatch] = []
    for _ in range(count):
        data.trainer = running(done=len(batches), rank=rank, ranks=ranks)
        batches += list(loader)
    return batches


def digest(batches: list[ClipBatch]) -> str:
    """A hash of all that is in some batches."""
    summed = hashlib.sha256()
    for batch in batches:
        for tensor in (*batch.content, *batch.style, batch.style_id):
            summed.update(b"none" if tensor is None else tensor.numpy().tobytes())
        summed.update(repr((batch.draws, batch.failed)).encode())
    return summed.hexdigest()


def test_the_seed_decides_all(toy: Any) -> None:
    assert digest(epochs(toy(seed=1), 2)) == digest(epochs(toy(seed=1), 2)) != digest(epochs(toy(seed=2), 2))


@pytest.mark.parametrize("broken", [(), (3, 7)])
def test_workers_do_not_matter(toy: Any, broken: tuple[int, ...]) -> None:
    alone = epochs(toy(broken=broken), 3)
    assert any(batch.failed for batch in alone) == bool(broken)
    for workers in (1, 2, 4):
        assert digest(epochs(toy(broken=broken, workers=workers), 3)) == digest(alone)


@pytest.mark.slow
def test_how_workers_start_does_not_matter(tmp_path: Path) -> None:
    def scenes(workers: int) -> MovingScenes:  # a source that new processes can import
        options: dict[str, Any] = {"size": (16, 16), "frames": 2, "clips": 12, "batch_size": 3, "workers": workers}
        return MovingScenes(style=str(tmp_path / "style"), **options)

    for name in "abcd":
        (tmp_path / "style" / name).mkdir(parents=True)
        Image.effect_noise((40, 50), 60).save(tmp_path / "style" / name / "0.png")
    loaders = {start: scenes(workers) for start, workers in ((None, 0), ("fork", 2), ("spawn", 2), ("forkserver", 1))}
    for data in loaders.values():
        data.setup()
    (tmp_path / "style" / "b" / "0.png").unlink()  # after the start, so that workers meet it
    found = {start: epochs(data, 2, start=start) for start, data in loaders.items()}
    assert {int(style) for batch in found[None] for style in batch.style_id} == {0, 2, 3}
    assert all("No such file" in failure.reason for batch in found[None] for failure in batch.failed)
    assert len({digest(batches) for batches in found.values()}) == 1


def test_two_ranks_together_are_one(toy: Any) -> None:
    one = epochs(toy(batch_size=4, broken=(3,)), 3)
    halves = [epochs(toy(batch_size=2, broken=(3,)), 3, rank, 2) for rank in range(2)]
    for whole, first, second in zip(one, *halves, strict=True):
        assert first.draws + second.draws == whole.draws
        assert first.failed + second.failed == whole.failed
        for domain in ("content", "style"):
            a, b, c = (getattr(batch, domain).frames for batch in (whole, first, second))
            assert torch.equal(a, torch.cat([b, c]))


def test_length_of_an_epoch(toy: Any) -> None:
    assert len(epochs(toy(batch_size=3), 1)) == 3
    assert len(epochs(toy(batch_size=2), 1, 0, 2)) == 2
    assert len(epochs(toy(batch_size=2, batches_per_epoch=23), 1)) == 23
    assert len(epochs(toy(batch_size=64), 1)) == 1  # more than there are: some twice


def test_validation_is_fixed(toy: Any) -> None:
    data = toy(batch_size=3)
    epochs(data, 1)
    first, again = list(data.val_dataloader()), list(data.val_dataloader())
    assert digest(first) == digest(again)
    assert [n for batch in first for n in numbers(batch.content)] == [200, 201, 202, 203]
    assert [n for batch in first for n in numbers(batch.style)] == [210, 211, 210, 211]


def transferred(data: Toy, batch: ClipBatch, trainer: Any) -> ClipBatch:
    data.trainer = trainer
    return data.on_after_batch_transfer(batch, 0)


def test_changes_on_the_device_depend_on_epoch_and_sample_alone(toy: Any) -> None:
    options = {"flip": 0.5, "jitter": 0.5, "seed": 3}
    (whole, *_), (_, *_, half) = epochs(toy(batch_size=4), 1), epochs(toy(batch_size=2), 1, 1, 2)
    first, second = (transferred(toy(batch_size=4, **options), whole, running(done=done)) for done in (0, 9))
    assert digest([first]) == digest([second]), "not on what the trainer has done"
    for other in ({"epoch": 1}, {"index": 7}, {"seed": 4}):
        draws = tuple(draw._replace(**other) for draw in whole.draws)
        moved = transferred(toy(batch_size=4, **options), whole._replace(draws=draws), running())
        assert not torch.equal(first.content.frames, moved.content.frames)
        assert not torch.equal(first.style.frames, moved.style.frames)
    (_, *_, one), part = epochs(toy(batch_size=4), 1), transferred(toy(batch_size=2, **options), half, running(rank=1, ranks=2))
    together = transferred(toy(batch_size=4, **options), one, running())
    assert torch.equal(together.content.frames[2:], part.content.frames)
    assert torch.equal(together.style.frames[2:], part.style.frames)


def test_the_style_keeps_its_colours(toy: Any) -> None:
    (batch, *_) = epochs(toy(), 1)
    plain, coloured = (transferred(toy(jitter=jitter), batch, running()) for jitter in (0, 1))
    assert torch.equal(plain.style.frames, coloured.style.frames)
    assert not torch.equal(plain.content.frames, coloured.content.frames)


@pytest.mark.parametrize("trainer", [None, running(training=False)])
def test_outside_of_training_the_middle_is_shown(toy: Any, trainer: Any) -> None:
    (batch, *_) = epochs(toy(), 1)
    shown = transferred(toy(flip=1, jitter=1), batch, trainer)
    for clips, raw in ((shown.content, batch.content), (shown.style, batch.style)):
        torch.testing.assert_close(clips.frames, raw.frames[..., 1:17, 1:17] / 127.5 - 1, atol=1e-6, rtol=0)


def test_failed_clips_are_told_and_counted_where_training_runs(toy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    data = toy(broken=(4,), workers=1, max_failed=0.1)
    batches = epochs(data, 3)
    for batch in batches:
        transferred(data, batch, running())
    assert capsys.readouterr().err.splitlines() == ["film4.mp4: expected a film, got none; another clip takes its place"]
    another = batches[0]._replace(failed=(Failure("content", 5, 10, "film5.mp4", "expected a film, got none"),))
    with pytest.raises(DataError, match=r"film5\.mp4: expected at most 10% of 10 content clips to fail, got 2"):
        transferred(data, another, running())


class Witness(LightningModule):
    """Trains nothing, remembers what it was shown, and may save or stop at a batch."""

    def __init__(self, save: tuple[str, int, Path] | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.shown: list[ClipBatch] = []
        self.judged: list[ClipBatch] = []
        self.save = save

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        self.optimizers().step()  # as Lightning counts
        self.shown.append(batch)

    def validation_step(self, batch: ClipBatch, batch_idx: int) -> None:
        self.judged.append(batch)

    def on_train_batch_start(self, batch: ClipBatch, batch_idx: int) -> None:
        self.interrupt("batch start")

    def on_train_batch_end(self, outputs: Any, batch: ClipBatch, batch_idx: int) -> None:
        self.interrupt("batch end")
        if self.save and self.save[0] == "stop" and len(self.shown) == self.save[1]:
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        if self.save and self.save[0] == "stop":
            self.trainer.save_checkpoint(self.save[2])

    def interrupt(self, where: str) -> None:
        if self.save and self.save[:2] == (where, len(self.shown)):
            self.trainer.save_checkpoint(self.save[2])
            raise Interrupted


class Interrupted(Exception):
    """The power is cut."""


def witnessed(
    data: Toy, max_epochs: int, resume: Path | None = None, save: tuple[str, int, Path] | None = None, validate: int = 0
) -> Witness:
    witness = Witness(save)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=validate,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*not resumable")
        try:
            trainer.fit(witness, datamodule=data, ckpt_path=resume)
        except Interrupted:
            data.trainer = None
    return witness


@pytest.mark.parametrize(
    ("save", "workers"),
    [
        (("batch start", 1), 0),
        (("batch start", 8), 0),
        (("batch start", 8), 2),
        (("batch end", 8), 0),
        (("stop", 5), 2),  # at the end of an epoch
        (("stop", 8), 0),
    ],
)
def test_a_resumed_run_sees_what_is_left_and_reads_nothing_else(
    toy: Any, tmp_path: Path, save: tuple[str, int], workers: int
) -> None:
    options = {"flip": 0.5, "jitter": 0.2, "broken": (2,), "max_failed": 0.1}
    file, log = tmp_path / "half.ckpt", tmp_path / "read"
    whole = witnessed(toy(**options), 4).shown
    first = witnessed(toy(**options, workers=workers), 4, save=(*save, file)).shown
    # Lightning takes an epoch that was stopped for a whole one, and this trainer counts epochs.
    second = witnessed(toy(**options, workers=workers, log=log), 4 + (save == ("stop", 8)), resume=file).shown
    assert len(whole) == 20
    assert digest(whole[:5]) != digest(whole[5:10])
    assert len(first) == save[1]
    assert digest(whole[len(first) :]) == digest(second)
    attempts = sum(len(batch.content.frames) + sum(f.domain == "content" for f in batch.failed) for batch in second)
    assert len(log.read_bytes()) == attempts


def test_a_run_resumed_twice_sees_the_same(toy: Any, tmp_path: Path) -> None:
    one, two = tmp_path / "one.ckpt", tmp_path / "two.ckpt"
    shown = witnessed(toy(flip=0.5), 2, save=("batch start", 2, one)).shown
    shown += witnessed(toy(flip=0.5), 2, resume=one, save=("batch start", 4, two)).shown
    shown += witnessed(toy(flip=0.5), 2, resume=two).shown
    assert digest(shown) == digest(witnessed(toy(flip=0.5), 2).shown)


def test_batches_under_lightning(toy: Any) -> None:
    witness = witnessed(toy(flip=0.5, jitter=0.2), 2, validate=2)
    assert len(witness.shown) == 10
    assert digest(witness.judged[:2]) == digest(witness.judged[2:])
    for batch in witness.shown + witness.judged:
        assert batch.content.frames.shape[1:] == batch.style.frames.shape[1:] == (2, 3, SIDE, SIDE)


def test_styles_are_named(toy: Any) -> None:
    data = toy()
    data.setup()
    assert data.styles == ("",)


def test_frames_are_loaded_an_eighth_larger(toy: Any) -> None:
    assert toy(size=(128, 256)).load_size == (144, 288)


def test_all_wrong_options_are_told_at_once(toy: Any) -> None:
    wrong = {"frames": 0, "batch_size": 0, "workers": -1, "seed": -1, "flip": 2, "jitter": -1, "batches_per_epoch": -1}
    wrong["max_failed"] = 1.5
    with pytest.raises(ValueError, match="Toy: ") as caught:
        toy(size=(0, 5), **wrong)
    told = str(caught.value)
    assert "\n" not in told
    for name, value in wrong.items():
        assert f"{name} must be" in told
        assert f"got {value}" in told
    assert "size must be two positive sides, got (0, 5)" in told
