"""Files replaced whole or not at all, each with its SHA-256 in a sidecar beside it, as ``sha256sum --check`` reads it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def sidecar(path: Path) -> Path:
    """Where the digest of a file lies: ``step-000500.ckpt.sha256``."""
    return path.with_name(f"{path.name}.sha256")


def part(path: Path) -> Path:
    """Where a file is written: beside its target, since renaming is atomic only within one file system."""
    return path.with_name(f"{path.name}.part")


def matches(path: Path) -> bool | None:
    """Whether a file holds the bytes its sidecar speaks of; None without a sidecar.

    Raises:
        OSError: one of the two cannot be read.
    """
    if not sidecar(path).exists():
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _line(path, digest) in sidecar(path).read_bytes().splitlines(keepends=True)


class HashedFile:
    """A file to write to that knows its SHA-256 and the first error of a write.

    A writer in C++, such as torch's, may raise an error of its own in place of a full disk or of Ctrl-C.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()
        self.error: BaseException | None = None

    def write(self, data: bytes | memoryview) -> int:
        """Write all of it."""
        try:
            self.sha256.update(data)
            return self.file.write(data)
        except BaseException as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self.file.flush()


@contextmanager
def replacing(path: Path) -> Iterator[HashedFile]:
    """A file to write that takes its place, with a sidecar, at the end of the ``with`` block.

    At every moment, a crash included, the path holds either the old bytes or the new ones, with a sidecar that fits.
    On any error the temporary files are removed and what was there stays.

    Raises:
        OSError: of the file system, whatever the writer made of it.
    """
    part(path).unlink(missing_ok=True)  # a link left there would be written through
    file = None
    try:
        with part(path).open("xb") as binary:
            file = HashedFile(binary)
            yield file
            _to_disk(binary)
        _settle(path, file.sha256.hexdigest())
    except BaseException:
        _discard(path)
        if file and file.error:
            raise file.error from None
        raise


def _settle(path: Path, digest: str) -> None:
    """Name a complete file; the sidecar first, so that the file never lies there without."""
    new = _line(path, digest)
    # While the old bytes still lie there, theirs is a good digest too.
    old = sidecar(path).read_bytes() if path.is_file() and sidecar(path).exists() else b""
    _write_sidecar(path, new + old)
    os.replace(part(path), path)
    _folder_to_disk(path)
    if old:
        _write_sidecar(path, new)


def _line(path: Path, digest: str) -> bytes:
    return f"{digest}  {path.name}\n".encode()


def _write_sidecar(path: Path, content: bytes) -> None:
    with part(sidecar(path)).open("wb") as file:
        file.write(content)
        _to_disk(file)
    os.replace(part(sidecar(path)), sidecar(path))
    _folder_to_disk(path)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(path: Path) -> None:
    """A rename is on the disk once its folder is."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot, and rename in order by themselves
            os.fsync(folder)
    finally:
        os.close(folder)


def _discard(path: Path) -> None:
    part(path).unlink(missing_ok=True)
    part(sidecar(path)).unlink(missing_ok=True)
    if not path.is_file():
        sidecar(path).unlink(missing_ok=True)
