import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from lightning_modules.callbacks.checkpoint import Checkpoints
from lightning_modules.checkpoint_file import read_checkpoint
from lightning_modules.checkpoint_folder import newest_good, numbered, point, step_of


def saved_step(path: Path) -> int:
    return int(read_checkpoint(path)["state_dict"]["_extra_state"]["generator_step"])


def steps(folder: Path) -> list[int]:
    return [step_of(path) for path in numbered(folder)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the runs of ``train`` keep their checkpoints."""
    return tmp_path / "run" / "checkpoints"


class Scores(Callback):
    """Logs a number of its own for each step; none before ``start``."""

    def __init__(self, scores: Sequence[float], start: int = 1) -> None:
        self.scores, self.start = scores, start

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.generator_step + 1 >= self.start:  # the step is counted after this
            pl_module.log("score", self.scores[pl_module.generator_step])


class Impatient(Callback):
    """Ctrl-C at a batch."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if batch_idx == self.batch:
            raise KeyboardInterrupt


# --- which are kept ---


@pytest.mark.parametrize(("keep", "left"), [(1, [7]), (2, [6, 7]), (9, [3, 6, 7])])
def test_the_newest_are_kept_and_hold_the_step_they_are_named_after(
    train: Any, folder: Path, keep: int, left: list[int]
) -> None:
    train(Checkpoints(every=3, keep=keep), steps=7)
    assert steps(folder) == left
    assert [saved_step(path) for path in numbered(folder)] == left
    assert os.readlink(folder / "last.ckpt") == "step-000007.ckpt"
    wanted = {f"{path.name}{end}" for path in numbered(folder) for end in ("", ".sha256")}
    assert {path.name for path in folder.iterdir()} == wanted | {"last.ckpt"}


def test_critic_batches_do_not_save_a_step_again(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    original = Trainer.save_checkpoint

    def counting(self: Trainer, *args: Any, **kwargs: Any) -> None:
        saved.append((self.lightning_module.generator_step, self.lightning_module.batches_seen))
        original(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "save_checkpoint", counting)
    train(Checkpoints(every=1), steps=3, n_critic=4)
    assert saved == [(1, 4), (2, 8), (3, 12)]


def test_a_new_run_in_the_folder_removes_what_a_killed_one_was_writing(train: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    for stale in ("step-000009.ckpt.part", "step-000009.ckpt.sha256"):
        (folder / stale).touch()
    train(Checkpoints(), steps=2)
    assert sorted(path.name for path in folder.iterdir()) == ["last.ckpt", "step-000002.ckpt", "step-000002.ckpt.sha256"]


# --- resuming ---


def test_what_a_run_resumes_from_is_not_written_again(train: Any, folder: Path) -> None:
    train(Checkpoints(every=3), steps=3)
    before = numbered(folder)[0].stat().st_ino
    train(Checkpoints(every=3), steps=5, ckpt_path=folder / "last.ckpt")
    assert steps(folder) == [3, 5]
    assert numbered(folder)[0].stat().st_ino == before


def test_resuming_before_the_newest_gives_the_later_ones_up(train: Any, folder: Path) -> None:
    train(Checkpoints(every=2, keep=9), steps=8)
    train(Checkpoints(every=2, keep=2), steps=5, ckpt_path=folder / "step-000002.ckpt")
    assert steps(folder) == [4, 5]
    assert os.readlink(folder / "last.ckpt") == "step-000005.ckpt"


def test_what_is_restored_in_part_is_not_saved(train: Any, folder: Path) -> None:
    class Interrupted(Callback):
        def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
            assert pl_module.generator_step == 3
            raise KeyboardInterrupt

    train(Checkpoints(every=3), steps=3)
    before = numbered(folder)[0].stat().st_ino
    with pytest.raises(SystemExit):
        train(Checkpoints(every=3), Interrupted(), steps=5, ckpt_path=folder / "last.ckpt")
    assert numbered(folder)[0].stat().st_ino == before


# --- the best ---


@pytest.mark.parametrize(
    ("scores", "mode", "best"),
    [
        ([5, 9, 3, 4, 3, 8, 8, 8], "min", 3),  # the first of two equal ones
        ([5, 9, 3, 4, 3, 8, 8, 8], "max", 2),
        ([5, float("nan"), 3, 4, 8, 8, 8, 8], "min", 3),
        ([float("nan"), float("-inf"), float("nan"), 6, 8, 8, 8, 8], "min", 4),
        ([5, float("inf"), 9, 4, 8, 8, 8, 8], "max", 3),
        ([8, 7, 6, 5, 4, 3, 2, 1], "min", 8),
    ],
)
def test_the_best_stays(train: Any, folder: Path, scores: list[float], mode: Any, best: int) -> None:
    train(Checkpoints(every=1, keep=2, best="score", mode=mode), Scores(scores), steps=8)
    assert steps(folder) == sorted({best, 7, 8})
    assert os.readlink(folder / "best.ckpt") == f"step-{best:06d}.ckpt"
    assert saved_step(folder / "best.ckpt") == best


def test_nothing_is_best_where_nothing_is_asked_for_or_finite(train: Any, folder: Path) -> None:
    train(Checkpoints(), Scores([1, 2, 3]), steps=3)
    assert not (folder / "best.ckpt").is_symlink()
    train(Checkpoints(best="score"), Scores([float("nan")] * 3), steps=3)
    assert not (folder / "best.ckpt").is_symlink()


def test_the_best_so_far_survives_resuming(train: Any, folder: Path) -> None:
    options: Any = {"every": 1, "keep": 1, "best": "score"}
    train(Checkpoints(**options), Scores([4, 2, 3]), steps=3)
    assert steps(folder) == [2, 3]
    train(Checkpoints(**options), Scores([0, 0, 0, 3, 3, 1, 2]), steps=5, ckpt_path=folder / "last.ckpt")
    assert steps(folder) == [2, 5]
    assert saved_step(folder / "best.ckpt") == 2
    train(Checkpoints(**options), Scores([0, 0, 0, 0, 0, 1, 2]), steps=7, ckpt_path=folder / "last.ckpt")
    assert steps(folder) == [6, 7]
    assert saved_step(folder / "best.ckpt") == 6


@pytest.mark.parametrize(("resumed", "best"), [(4, 3), (5, 3)])
def test_the_best_of_a_course_that_was_given_up_is_not_the_best(train: Any, folder: Path, resumed: int, best: int) -> None:
    options: Any = {"every": 1, "keep": 9, "best": "score"}
    train(Checkpoints(**options), Scores([9, 9, 2, 4, 4, 1]), steps=6)
    assert saved_step(folder / "best.ckpt") == 6
    train(Checkpoints(**options), Scores([9] * 7), steps=resumed + 1, ckpt_path=folder / f"step-00000{resumed}.ckpt")
    assert saved_step(folder / "best.ckpt") == best


def test_a_kill_before_the_best_is_pointed_to_is_made_up_for(train: Any, folder: Path) -> None:
    options: Any = {"every": 1, "keep": 9, "best": "score"}
    train(Checkpoints(**options), Scores([3, 2, 1]), steps=3)
    (folder / "best.ckpt").unlink()
    (folder / "best.ckpt").symlink_to("step-000001.ckpt")
    train(Checkpoints(**options), Scores([9] * 4), steps=4, ckpt_path=folder / "last.ckpt")
    assert saved_step(folder / "best.ckpt") == 3


@pytest.mark.parametrize("links", [True, False])
def test_the_best_of_another_folder_is_known_and_not_there(
    train: Any, folder: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(Path, "symlink_to", no_links)
    train(Checkpoints(every=1, best="score", keep=9), Scores([1, 2, 3]), steps=3)
    folder.rename(folder.with_name("elsewhere"))
    train(Checkpoints(best="score"), Scores([9] * 4), steps=4, ckpt_path=folder.with_name("elsewhere") / "last.ckpt")
    assert steps(folder) == [4]
    assert saved_step(folder / "last.ckpt") == 4
    assert not (folder / "best.ckpt").is_symlink()


def no_links(self: Path, target: str) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_known_metric_may_be_logged_late_after_resuming(train: Any, folder: Path) -> None:
    train(Checkpoints(every=1, best="score"), Scores([1, 2]), steps=2)
    train(Checkpoints(every=1, best="score"), Scores([0] * 5, start=5), steps=4, ckpt_path=folder / "last.ckpt")
    assert steps(folder)[-1] == 4


@pytest.mark.parametrize("other", [{"best": "train/cycle"}, {"best": "score", "mode": "max"}])
def test_the_best_of_another_metric_says_nothing(train: Any, folder: Path, other: dict[str, Any]) -> None:
    train(Checkpoints(every=1, best="score"), Scores([-9, -8]), steps=2)
    callback = Checkpoints(every=1, **other)
    train(callback, Scores([0, 0, -20]), steps=3, ckpt_path=folder / "last.ckpt")
    assert callback.best_step == 3


def test_an_unknown_metric_is_refused_once_the_first_checkpoint_is_saved(train: Any, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"checkpoints.best: expected a metric that is logged, got train/cycel; use") as caught:
        train(Checkpoints(every=2, best="train/cycel"), steps=6)
    assert "train/cycle, train/temporal" in str(caught.value)
    assert steps(folder) == [2]
    with pytest.raises(ValueError, match="got train/cycel"):
        train(Checkpoints(best="train/cycel"), steps=1)  # at the end of a short run too


def test_a_metric_logged_too_late_to_be_unknown_by_ctrl_c(train: Any, folder: Path) -> None:
    with pytest.raises(SystemExit):
        train(Checkpoints(best="score"), Scores([1] * 9, start=5), Impatient(2), steps=9)
    assert sorted(path.name for path in folder.iterdir()) == ["last.ckpt", "step-000002.ckpt", "step-000002.ckpt.sha256"]


# --- when something goes wrong ---


def test_a_failed_write_leaves_the_checkpoint_before(train: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = torch.save

    def disk_full(content: Any, file: Any) -> None:
        if content["state_dict"]["_extra_state"]["generator_step"] < 4:
            return original(content, file)
        file.write(b"half a checkpoint")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space left on device while this checkpoint was being saved"):
        train(Checkpoints(every=2, best="score"), Scores([4, 3, 2, 1, 0, 0]), steps=6)
    assert newest_good(folder) == (folder / "step-000002.ckpt", [])
    assert saved_step(folder / "last.ckpt") == saved_step(folder / "best.ckpt") == 2
    assert len(list(folder.iterdir())) == 4


def test_ctrl_c_keeps_what_was_learnt(train: Any, folder: Path) -> None:
    with pytest.raises(SystemExit):
        train(Checkpoints(), Impatient(2), steps=9)
    assert saved_step(folder / "last.ckpt") == 2


@pytest.mark.parametrize("where", ["torch.save", "lightning_modules.callbacks.checkpoint.point"])
def test_ctrl_c_while_saving_saves_once_more(train: Any, folder: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, refused = {"torch.save": torch.save, "lightning_modules.callbacks.checkpoint.point": point}[where], []

    def interrupted(*arguments: Any) -> None:
        if not refused:
            refused.append(arguments)
            raise KeyboardInterrupt
        original(*arguments)

    monkeypatch.setattr(where, interrupted)
    with pytest.raises(SystemExit):
        train(Checkpoints(every=2, best="score"), Scores([5] * 9), steps=9)
    assert steps(folder) == [2]
    assert saved_step(folder / "last.ckpt") == saved_step(folder / "best.ckpt") == 2


class OtherRank:
    """A trainer that is not the first; the first writes."""

    is_global_zero = False
    callback_metrics: dict[str, Any] = {}
    lightning_module = None

    def __init__(self, folder: Path) -> None:
        self.log_dir = str(folder)
        self.saved: list[Path] = []

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append(path)


def test_other_ranks_take_part_and_touch_nothing(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("step-000001.ckpt.part", "step-000001.ckpt", "step-000009.ckpt"):  # the first rank's to remove
        (tmp_path / "checkpoints" / name).touch()
    before = set((tmp_path / "checkpoints").iterdir())
    trainer: Any = OtherRank(tmp_path)
    callback, method = Checkpoints(keep=1), torch.nn.Module()
    method.generator_step = 0  # type: ignore[assignment]
    callback.on_train_start(trainer, method)  # type: ignore[arg-type]
    callback.save(trainer, 5)
    assert trainer.saved == [tmp_path / "checkpoints" / "step-000005.ckpt"]
    assert set((tmp_path / "checkpoints").iterdir()) == before


@pytest.mark.parametrize("arguments", [{"every": 0}, {"keep": 0}])
def test_refuses_what_saves_nothing(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="checkpoints: expected every >= 1 and keep >= 1"):
        Checkpoints(**arguments)


def test_refuses_an_unknown_mode() -> None:
    with pytest.raises(ValueError, match="checkpoints: expected mode min or max, got mean"):
        Checkpoints(mode="mean")  # type: ignore[arg-type]
