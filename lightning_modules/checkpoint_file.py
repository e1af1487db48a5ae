"""Reading and writing checkpoint files. Nothing in them is ever executed: ``weights_only`` loading throughout."""

import errno
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from lightning_modules.sidecar import HashedFile, matches, replacing, sidecar


class CheckpointError(ValueError):
    """A file that is not a usable checkpoint. The message is one line."""


def read_checkpoint(path: str | Path, map_location: str = "cpu") -> dict[str, Any]:
    """The contents of a checkpoint of this package, after its bytes were checked.

    Args:
        path: a ``.ckpt`` file, or a link to one. Its SHA-256 must be the one in ``<name>.sha256`` beside it; without such
            a file, as after copying it elsewhere, the CRC-32 within are checked, which torch does not do.
        map_location: device of the tensors.

    Raises:
        CheckpointError: no such file, damaged, or of something else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a checkpoint, got no such file; a run keeps them in its folder's checkpoints/")
    try:
        file = path.resolve()
        damage = damage_of(file)
        checkpoint: Any = None if damage else torch.load(file, map_location=map_location, weights_only=True)
    except (MemoryError, PermissionError):
        raise  # nothing is wrong with the file
    except Exception as error:  # unpickling damaged bytes may raise almost anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{path}: expected a checkpoint of this package, got a damaged or foreign file ({reason[:120]}); use another one"
        ) from error
    if damage:
        raise CheckpointError(f"{path}: expected a checkpoint as it was written, got a damaged one ({damage}); use another one")
    settings = checkpoint.get("hyper_parameters") if isinstance(checkpoint, dict) else None
    if not isinstance(settings, dict) or "_class_path" not in settings or "state_dict" not in checkpoint:
        raise CheckpointError(
            f"{path}: expected a checkpoint of this package, got one of something else; use a run's last.ckpt"
        )
    return checkpoint


def damage_of(file: Path) -> str | None:
    """What is wrong with the bytes of a checkpoint, or None."""
    match matches(file):
        case True:
            return None
        case False:
            return f"its SHA-256 is not the one in {sidecar(file).name}"
    with zipfile.ZipFile(file) as archive:
        record = archive.testzip()
    return record and f"the CRC-32 of its part {record} is wrong"


def write_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint and, beside it, its SHA-256 in ``<name>.sha256``.

    Whatever happens meanwhile, the path holds the checkpoint before or this one, complete: a temporary file beside it is
    flushed to the disk and renamed.

    Args:
        checkpoint: anything that ``read_checkpoint`` accepts.
        path: the file; its folder is made. A link is replaced, not followed.

    Raises:
        OSError: the disk is full, or something else is wrong with it. The message says what to do.
    """
    with saving(Path(path)) as file:
        torch.save(checkpoint, cast(Any, file))


def copy_checkpoint(source: Path, path: Path) -> None:
    """The same bytes under another name, written as ``write_checkpoint`` does.

    Raises:
        OSError: as there.
    """
    with saving(path) as file, source.open("rb") as content:
        shutil.copyfileobj(content, file)


@contextmanager
def saving(path: Path) -> Iterator[HashedFile]:
    """The file to write a checkpoint to; tells what the file system refuses as a person must hear it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            yield file
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise OSError(
            error.errno or errno.EIO,
            f"{error.strerror or error} while this checkpoint was being saved; those saved before are intact; "
            f"{'make room there' if full else 'see to that'}, then continue from the newest",
            str(path),
        ) from error


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint, and then its sidecar, if they are there."""
    path.unlink(missing_ok=True)
    sidecar(path).unlink(missing_ok=True)
