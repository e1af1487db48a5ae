"""Sampling that depends on nothing but the seed: not on workers, ranks, or what was drawn before."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from datamodules.base import ClipDataModule, ClipSource, DrawSampler, Split, Unpaired
from datamodules.batch import ClipBatch, Clips
from datamodules.random import Draw, rng

SIDE = 16


class Numbered(ClipSource):
    """Clips that carry in their first pixel which they are, and noise elsewhere."""

    def __init__(self, length: int, first: int = 0) -> None:
        self.length, self.first = length, first

    def __len__(self) -> int:
        return self.length

    def clip(self, draw: Draw) -> Clips:
        noise = rng(draw.seed, "numbered", draw.epoch, draw.index).integers(0, 256, (2, 3, SIDE * 9 // 8, SIDE * 9 // 8))
        frames = torch.from_numpy(noise).byte()
        frames[..., 0, 0] = self.first + draw.index
        return Clips(frames)


class Toy(ClipDataModule):
    """Ten clips of content, 0 to 9; three of style, 100 to 102. Validation: 200 to 203 with 210 to 211."""

    def __init__(self, **options: int) -> None:
        super().__init__(**({"size": (SIDE, SIDE), "frames": 2, "workers": 0, "flip": 0, "jitter": 0} | options))

    def content_clips(self, split: Split) -> ClipSource:
        return Numbered(10) if split == "train" else Numbered(4, 200)

    def style_clips(self, split: Split) -> ClipSource:
        return Numbered(3, 100) if split == "train" else Numbered(2, 210)


def numbers(clips: Clips) -> list[int]:
    return clips.frames[:, 0, 0, 0, 0].tolist()


def epochs(data: Toy, count: int, rank: int = 0, ranks: int = 1) -> list[ClipBatch]:
    """The training batches of some epochs, as Lightning would fetch them."""
    data.trainer = SimpleNamespace(global_rank=rank, world_size=ranks)
    data.setup()
    loader = data.train_dataloader()
    batches = []
    for epoch in range(count):
        loader.sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def same(a: list[ClipBatch], b: list[ClipBatch]) -> bool:
    pairs = [(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)]
    return all(torch.equal(x.frames, y.frames) for x, y in pairs)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 16])
def test_every_clip_once_a_pass_each_pass_in_a_new_order(batch_size: int) -> None:
    batches = epochs(Toy(batch_size=batch_size), 7)
    for domain, length in (("content", 10), ("style", 3)):
        seen = [number % 100 for batch in batches for number in numbers(getattr(batch, domain))]
        passes = [seen[i : i + length] for i in range(0, len(seen) - length + 1, length)]
        assert all(sorted(one) == list(range(length)) for one in passes)
        assert len({tuple(one) for one in passes}) > 1


def test_no_two_passes_draw_alike() -> None:
    seen: dict[int, list[Tensor]] = {}
    for batch in epochs(Toy(batch_size=1, batches_per_epoch=25), 2):  # five passes
        for clip, number in zip(batch.content.frames, numbers(batch.content), strict=True):
            assert not any(torch.equal(clip, earlier) for earlier in seen.setdefault(number, []))
            seen[number].append(clip)
    assert all(len(clips) == 5 for clips in seen.values())


def test_content_meets_every_style() -> None:
    pairs = {pair for b in epochs(Toy(batch_size=2), 12) for pair in zip(numbers(b.content), numbers(b.style), strict=True)}
    assert len(pairs) > 25  # of 30: the two domains are shuffled apart


def test_the_seed_decides_all() -> None:
    assert same(epochs(Toy(seed=1), 2), epochs(Toy(seed=1), 2))
    assert not same(epochs(Toy(seed=1), 2), epochs(Toy(seed=2), 2))


def test_workers_do_not_matter() -> None:
    assert same(epochs(Toy(workers=0), 2), epochs(Toy(workers=2), 2))


def test_two_ranks_together_are_one() -> None:
    one = epochs(Toy(batch_size=4), 3)
    halves = [epochs(Toy(batch_size=2), 3, rank, 2) for rank in range(2)]
    for whole, first, second in zip(one, *halves, strict=True):
        assert numbers(first.content) + numbers(second.content) == numbers(whole.content)
        for a, b, c in zip(whole, first, second, strict=True):
            assert torch.equal(a.frames, torch.cat([b.frames, c.frames]))


def test_sampler_leaves_out_an_incomplete_batch() -> None:
    sampler = DrawSampler(seed=5, length=11, batch_size=2, rank=1, ranks=2)
    sampler.set_epoch(3)
    assert len(sampler) == 4
    assert list(sampler) == [Draw(5, 3, index) for index in (2, 3, 6, 7)]


def test_length_of_an_epoch() -> None:
    assert len(epochs(Toy(batch_size=3), 1)) == 3
    assert len(epochs(Toy(batch_size=2), 1, 0, 2)) == 2
    assert len(epochs(Toy(batch_size=2, batches_per_epoch=23), 1)) == 23
    assert len(epochs(Toy(batch_size=64), 1)) == 1  # more than there are: some twice
    assert len(Unpaired(Numbered(4), Numbered(2), 9)) == 9


def test_validation_is_fixed() -> None:
    data = Toy(batch_size=3)
    epochs(data, 1)
    first, again = list(data.val_dataloader()), list(data.val_dataloader())
    assert same(first, again)
    assert [n for batch in first for n in numbers(batch.content)] == [200, 201, 202, 203]
    assert [n for batch in first for n in numbers(batch.style)] == [210, 211, 210, 211]


def running(training: bool, batch: int = 0, rank: int = 0) -> SimpleNamespace:
    loop = SimpleNamespace(total_batch_idx=batch - 1)
    return SimpleNamespace(training=training, fit_loop=loop, global_rank=rank, world_size=2)


def transferred(data: Toy, batch: ClipBatch, trainer: SimpleNamespace | None) -> ClipBatch:
    data.trainer = trainer
    return data.on_after_batch_transfer(batch, 0)


def test_changes_on_the_device_depend_on_batch_and_sample_alone() -> None:
    options = {"flip": 0.5, "jitter": 0.5, "seed": 3}
    (whole, *_), (half, *_) = epochs(Toy(batch_size=4), 1), epochs(Toy(batch_size=2), 1, 1, 2)
    one = transferred(Toy(batch_size=4, **options), whole, running(True, 6))
    second = transferred(Toy(batch_size=2, **options), half, running(True, 6, rank=1))
    later = transferred(Toy(batch_size=4, **options), whole, running(True, 7))
    for a, b, c in zip(one, second, later, strict=True):
        assert torch.equal(a.frames[2:], b.frames)
        assert not torch.equal(a.frames, c.frames)


def test_the_style_keeps_its_colours() -> None:
    (batch, *_) = epochs(Toy(), 1)
    plain, coloured = (transferred(Toy(jitter=jitter), batch, running(True)) for jitter in (0, 1))
    assert torch.equal(plain.style.frames, coloured.style.frames)
    assert not torch.equal(plain.content.frames, coloured.content.frames)


@pytest.mark.parametrize("trainer", [None, running(training=False)])
def test_outside_of_training_the_middle_is_shown(trainer: SimpleNamespace | None) -> None:
    (batch, *_) = epochs(Toy(), 1)
    shown = transferred(Toy(flip=1, jitter=1), batch, trainer)
    for clips, raw in zip(shown, batch, strict=True):
        torch.testing.assert_close(clips.frames, raw.frames[..., 1:17, 1:17] / 127.5 - 1, atol=1e-6, rtol=0)


class Witness(LightningModule):
    """Trains nothing and remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.shown: list[ClipBatch] = []
        self.judged: list[ClipBatch] = []

    def configure_optimizers(self) -> None:
        return None

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        self.shown.append(batch)

    def validation_step(self, batch: ClipBatch, batch_idx: int) -> None:
        self.judged.append(batch)


def witnessed(max_epochs: int, resume: Path | None = None) -> tuple[Witness, Trainer]:
    witness = Witness()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(witness, datamodule=Toy(flip=0.5, jitter=0.2), ckpt_path=resume)
    return witness, trainer


def test_under_lightning_epochs_differ_and_a_resumed_run_sees_the_same(tmp_path: Path) -> None:
    whole, _ = witnessed(2)
    first, trainer = witnessed(1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    second, _ = witnessed(2, tmp_path / "half.ckpt")
    assert len(whole.shown) == 10
    assert not same(whole.shown[:5], whole.shown[5:])
    assert same(whole.shown, first.shown + second.shown)
    assert same(whole.judged[:2], whole.judged[2:])
    assert all(clips.frames.shape[1:] == (2, 3, SIDE, SIDE) for batch in whole.shown + whole.judged for clips in batch)


def test_frames_are_loaded_an_eighth_larger() -> None:
    assert Toy(size=(128, 256)).load_size == (144, 288)


def test_all_wrong_options_are_told_at_once() -> None:
    wrong = {"frames": 0, "batch_size": 0, "workers": -1, "seed": -1, "flip": 2, "jitter": -1, "batches_per_epoch": -1}
    with pytest.raises(ValueError, match="Toy: ") as caught:
        Toy(size=(0, 5), **wrong)
    told = str(caught.value)
    assert "\n" not in told
    for name, value in wrong.items():
        assert f"{name} must be" in told
        assert f"got {value}" in told
    assert "size must be two positive sides, got (0, 5)" in told
