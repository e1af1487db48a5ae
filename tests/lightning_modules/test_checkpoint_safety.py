"""Every way a checkpoint is loaded: damage is refused where a digest lies beside it, and no code in a file ever runs."""

import os
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from datamodules.batch import ClipBatch
from fit import stylize
from lightning_modules.checkpoint_file import CheckpointError, read_checkpoint, write_checkpoint
from lightning_modules.checkpoint_folder import newest_good, step_path
from lightning_modules.checkpoint_io import VerifiedCheckpoints
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.loading import load_method

Build = Callable[..., CycleGAN]
Train = Callable[..., Trainer]
Batches = Callable[..., list[ClipBatch]]
Load = Callable[[Path], object]


class Malicious:
    """Would make a folder when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def checkpoint(cyclegan: Build, batches: Batches, train: Train, tmp_path: Path) -> Path:
    """Of a method that has trained for a batch, alone in its folder."""
    trainer = train(cyclegan(), batches(1), plugins=[VerifiedCheckpoints()])
    trainer.save_checkpoint(step_path(tmp_path / "checkpoints", 1))
    return step_path(tmp_path / "checkpoints", 1)


def repaint(checkpoint: Path) -> None:
    """As the command does; its error as an exception."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stylize, "check", lambda *_: 1)  # the video is not what is wrong
        patch.setattr(stylize, "render", lambda *_: ["painted"])
        patch.setattr(stylize, "fail", refused)
        stylize.main(["in.mp4", "out.mp4", "--checkpoint", str(checkpoint)])


def refused(message: str) -> None:
    raise CheckpointError(message)


@pytest.fixture(params=["read_checkpoint", "load_method", "trainer.fit", "init_from", "fit.stylize", "newest_good"])
def load(request: pytest.FixtureRequest, cyclegan: Build, batches: Batches, train: Train) -> Load:
    """Every way of this project."""

    def resume(path: Path) -> None:
        train(cyclegan(), batches(1), plugins=[VerifiedCheckpoints()], ckpt_path=path)

    ways: dict[str, Load] = {
        "read_checkpoint": read_checkpoint,
        "load_method": load_method,
        "trainer.fit": resume,
        "init_from": lambda path: cyclegan(init_from=str(path)),
        "fit.stylize": repaint,
        "newest_good": lambda path: newest_good(path.parent),
    }
    return ways[request.param]


def broken(position: int) -> Callable[[bytes], bytes]:
    """Flip a bit; a negative position counts from the end."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[position] ^= 16
        return bytes(changed)

    return change


def flip_a_weight(content: bytes) -> bytes:
    """In the middle, far from what describes the file."""
    return broken(len(content) // 2)(content)


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "header": ("", broken(0)),
    "weights": ("", flip_a_weight),
    "end": ("", broken(-1)),
    "half": ("", lambda content: content[: len(content) // 2]),
    "last byte gone": ("", lambda content: content[:-1]),
    "empty": ("", lambda content: b""),
    "digest": (".sha256", broken(0)),
    "name beside the digest": (".sha256", broken(-2)),
    "no digest": (".sha256", lambda content: b""),
}


def test_damage_is_refused_in_one_line_naming_the_file(load: Load, checkpoint: Path) -> None:
    load(checkpoint)
    for damage, (end, change) in DAMAGE.items():
        path = checkpoint.with_name(checkpoint.name + end)
        whole = path.read_bytes()
        path.write_bytes(change(whole))
        with pytest.raises(CheckpointError, match="damaged") as caught:
            load(checkpoint)
        assert checkpoint.name in str(caught.value), damage
        assert "\n" not in str(caught.value), damage
        path.write_bytes(whole)
    load(checkpoint)


def test_a_flipped_weight_is_refused_without_a_sidecar_too(load: Load, checkpoint: Path) -> None:
    Path(f"{checkpoint}.sha256").unlink()
    load(checkpoint)
    checkpoint.write_bytes(flip_a_weight(checkpoint.read_bytes()))
    with pytest.raises(CheckpointError, match="damaged"):
        load(checkpoint)


def malicious(content: dict[str, Any], path: Path, made: Path) -> list[Path]:
    """Code among the weights, in the settings, in the optimizers, and in place of everything."""
    hidden = [content | {name: Malicious(made)} for name in ("state_dict", "hyper_parameters", "optimizer_states", "extra")]
    files = []
    for number, each in enumerate(hidden, 2):
        torch.save(each, step_path(path.parent / str(number), 1))
        files.append(step_path(path.parent / str(number), 1))
    files.append(step_path(path.parent / "6", 1))
    files[-1].write_bytes(pickle.dumps(content | {"extra": Malicious(made)}))
    return files


@pytest.fixture
def traps(checkpoint: Path, tmp_path: Path) -> list[Path]:
    """Files that would make the folder ``made`` if anything in them ran."""
    for number in range(2, 7):
        (checkpoint.parent / str(number)).mkdir()
    return malicious(read_checkpoint(checkpoint), checkpoint, tmp_path / "made")


@pytest.mark.parametrize("digest", [True, False])
def test_code_in_a_file_does_not_run(load: Load, traps: list[Path], digest: bool, tmp_path: Path) -> None:
    for trap in traps:
        if digest:  # whoever plants code can also write what sha256sum says
            Path(f"{trap}.sha256").write_text(f"{sha256(trap.read_bytes()).hexdigest()}  {trap.name}\n")
        with pytest.raises(CheckpointError, match="damaged or foreign"):
            load(trap)
        assert not (tmp_path / "made").exists()


def test_nor_by_lightning_alone(traps: list[Path], tmp_path: Path) -> None:
    for trap in traps:
        with pytest.raises(pickle.UnpicklingError):
            CycleGAN.load_from_checkpoint(trap)
        assert not (tmp_path / "made").exists()


def test_the_traps_are_traps(traps: list[Path], tmp_path: Path) -> None:
    for trap in traps:
        if trap != traps[-1]:
            torch.load(trap, weights_only=False)
        else:
            pickle.loads(trap.read_bytes())
        (tmp_path / "made").rmdir()


def test_the_command_names_the_checkpoint_before_a_damaged_one(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    later = step_path(checkpoint.parent, 2)
    for end in ("", ".sha256"):
        content = Path(f"{checkpoint}{end}").read_bytes().replace(checkpoint.name.encode(), later.name.encode())
        Path(f"{later}{end}").write_bytes(content)
    later.write_bytes(flip_a_weight(later.read_bytes()))
    (checkpoint.parent / "last.ckpt").symlink_to(later.name)
    monkeypatch.setattr(stylize, "check", lambda *_: 1)
    with pytest.raises(SystemExit) as left:
        stylize.main(["in.mp4", "out.mp4", "--checkpoint", str(checkpoint.parent / "last.ckpt")])
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert said.startswith(f"error: {checkpoint.parent}/last.ckpt: ")
    assert "got a damaged one" in said
    assert said.endswith(f"; {checkpoint} is undamaged\n")
    assert len(said.splitlines()) == 1


def test_the_command_does_not_recommend_what_it_refuses(checkpoint: Path) -> None:
    content = read_checkpoint(checkpoint)
    content["hyper_parameters"]["no_such_option"] = 1
    write_checkpoint(content, checkpoint)
    with pytest.raises(CheckpointError, match=r"use the version of this package that wrote it$"):
        repaint(checkpoint)
