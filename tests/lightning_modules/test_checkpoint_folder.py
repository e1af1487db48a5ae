import os
from pathlib import Path

import pytest
import torch

from lightning_modules.checkpoint_file import CheckpointError, read_checkpoint, write_checkpoint
from lightning_modules.checkpoint_folder import newest_good, numbered, point, prune, step_of, step_path, tidy
from lightning_modules.sidecar import sidecar


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        content = {"state_dict": {"a": torch.full((100,), float(step))}, "hyper_parameters": {"_class_path": "x.Y"}}
        write_checkpoint(content, step_path(folder, step))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def saved_step(path: Path) -> float:
    return float(read_checkpoint(path)["state_dict"]["a"][0])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_numbers_are_counted_not_spelt(tmp_path: Path) -> None:
    save(tmp_path, 1_000_000, 999_999, 7)
    for other in ("step-final.ckpt", "step-7.ckpt", "step-000008.ckpt.part", "last.ckpt"):
        (tmp_path / other).touch()
    assert [step_of(path) for path in numbered(tmp_path)] == [7, 999_999, 1_000_000]
    assert numbered(tmp_path / "nowhere") == []


# --- the newest good one ---


def test_the_newest_is_good(tmp_path: Path) -> None:
    save(tmp_path, 5, 10)
    assert newest_good(tmp_path) == (step_path(tmp_path, 10), [])


def test_those_passed_over_are_told_newest_first_in_a_line_each(tmp_path: Path) -> None:
    save(tmp_path, 5, 10, 15, 20)
    flip(step_path(tmp_path, 20))
    torch.save([1], step_path(tmp_path, 15))
    sidecar(step_path(tmp_path, 15)).unlink()
    sidecar(step_path(tmp_path, 10)).write_text("")
    found = newest_good(tmp_path)
    assert found is not None
    path, passed_over = found
    assert path == step_path(tmp_path, 5)
    assert [line.partition(":")[0] for line in passed_over] == [str(step_path(tmp_path, step)) for step in (20, 15, 10)]
    assert [why in line for line, why in zip(passed_over, ("damaged", "something else", "damaged"), strict=True)] == [True] * 3
    assert all("\n" not in line for line in passed_over)


def test_none_is_good(tmp_path: Path) -> None:
    save(tmp_path, 5, 10)
    for step in (5, 10):
        flip(step_path(tmp_path, step))
    with pytest.raises(CheckpointError, match=r"got 2 that cannot, the newest being .*step-000010.ckpt: .*damaged") as caught:
        newest_good(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "step-000005.ckpt.sha256").touch()
    assert newest_good(tmp_path) is None
    assert newest_good(tmp_path / "nowhere") is None


# --- links ---


def test_a_link_stands_for_a_checkpoint_wherever_the_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    save(folder, 5, 10)
    (folder / "last.ckpt.part").touch()  # of a killed run
    for step in (5, 10):
        point(folder / "last.ckpt", step_path(folder, step))
        assert os.readlink(folder / "last.ckpt") == f"step-{step:06d}.ckpt"
    folder.rename(tmp_path / "moved")
    assert saved_step(tmp_path / "moved" / "last.ckpt") == 10
    assert "last.ckpt.part" not in names(tmp_path / "moved")


def test_without_links_a_verified_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 5, 10)
    point(tmp_path / "last.ckpt", step_path(tmp_path, 5))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", no_links)
        point(tmp_path / "last.ckpt", step_path(tmp_path, 10))
    assert not (tmp_path / "last.ckpt").is_symlink()
    assert saved_step(tmp_path / "last.ckpt") == 10
    flip(tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(tmp_path / "last.ckpt")
    point(tmp_path / "last.ckpt", step_path(tmp_path, 10))  # links again
    assert saved_step(tmp_path / "last.ckpt") == 10
    assert "last.ckpt.sha256" not in names(tmp_path)


def no_links(self: Path, target: str) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_failed_rename_of_a_link_does_not_harm_what_it_points_to(tmp_path: Path) -> None:
    save(tmp_path, 5)
    (tmp_path / "last.ckpt").mkdir()
    with pytest.raises(IsADirectoryError):
        point(tmp_path / "last.ckpt", step_path(tmp_path, 5))
    assert saved_step(step_path(tmp_path, 5)) == 5
    assert names(tmp_path) == ["last.ckpt", "step-000005.ckpt", "step-000005.ckpt.sha256"]


# --- removing ---


@pytest.mark.parametrize(
    ("step", "keep", "best", "left"),
    [
        (4, 1, None, [4]),
        (4, 2, None, [3, 4]),
        (4, 2, 1, [1, 3, 4]),
        (4, 2, 4, [3, 4]),
        (4, 9, None, [1, 2, 3, 4]),
        (3, 1, None, [3]),  # 4 is of a course that was given up
        (3, 2, 1, [1, 2, 3]),
    ],
)
def test_prune(step: int, keep: int, best: int | None, left: list[int], tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3, 4)
    if 2 not in left:
        point(tmp_path / "best.ckpt", step_path(tmp_path, 2))
    prune(tmp_path, step, keep, best)
    assert names(tmp_path) == sorted(f"step-{n:06d}.ckpt{end}" for n in left for end in ("", ".sha256"))


def test_tidy_removes_what_a_killed_run_left_and_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, 5)
    point(tmp_path / "last.ckpt", step_path(tmp_path, 5))
    before = names(tmp_path)
    for stale in ("step-000010.ckpt.part", "step-000010.ckpt.sha256.part", "step-000010.ckpt.sha256", "last.ckpt.part"):
        (tmp_path / stale).touch()
    tidy(tmp_path)
    assert names(tmp_path) == before
    tidy(tmp_path / "nowhere")
