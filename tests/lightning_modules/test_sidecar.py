"""Whatever happens while a file is replaced, it holds the old bytes or the new ones, and its sidecar fits."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lightning_modules import sidecar as module
from lightning_modules.sidecar import matches, part, replacing, sidecar


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content[:3])
        file.write(memoryview(content)[3:])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_and_its_sidecar(tmp_path: Path) -> None:
    write(tmp_path / "a.ckpt", b"content")
    assert (tmp_path / "a.ckpt").read_bytes() == b"content"
    assert names(tmp_path) == {"a.ckpt", "a.ckpt.sha256"}
    assert matches(tmp_path / "a.ckpt") is True
    write(tmp_path / "a.ckpt", b"other content")
    assert (tmp_path / "a.ckpt").read_bytes() == b"other content"
    assert matches(tmp_path / "a.ckpt") is True
    sidecar(tmp_path / "a.ckpt").unlink()
    assert matches(tmp_path / "a.ckpt") is None


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum to compare with")
def test_sidecars_are_what_sha256sum_writes_and_checks(tmp_path: Path) -> None:
    write(tmp_path / "a.ckpt", b"content")
    write(tmp_path / "a.ckpt", b"other content")
    own = subprocess.run(["sha256sum", "a.ckpt"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert sidecar(tmp_path / "a.ckpt").read_bytes() == own
    assert subprocess.run(["sha256sum", "--check", "--strict", "a.ckpt.sha256"], cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize("name", ["a.ckpt", "a.ckpt.sha256"])
def test_every_flipped_byte_is_seen(name: str, tmp_path: Path) -> None:
    write(tmp_path / "a.ckpt", b"content")
    whole = (tmp_path / name).read_bytes()
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= 1 << position % 8
        (tmp_path / name).write_bytes(content)
        assert matches(tmp_path / "a.ckpt") is False, f"byte {position}"


class Crash(BaseException):
    """The power went."""


def crash(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """From the ``at``-th time on no file is named or flushed any more, and nobody tidies up."""
    calls = count()
    for name in ("replace", "fsync"):
        real: Callable[..., Any] = getattr(os, name)

        def limited(*args: Any, real: Callable[..., Any] = real) -> Any:
            if next(calls) >= at:
                raise Crash
            return real(*args)

        monkeypatch.setattr(module.os, name, limited)
    monkeypatch.setattr(module, "_discard", lambda path: None)


@pytest.mark.parametrize("before", [None, b"old content"])
def test_a_crash_at_any_moment_leaves_the_old_or_the_new_file_with_a_fitting_sidecar(
    before: bytes | None, tmp_path: Path
) -> None:
    seen = []
    for at in range(9):
        path = tmp_path / f"{at}.ckpt"
        if before is not None:
            write(path, before)
        with pytest.MonkeyPatch.context() as patch:
            crash(patch, at)
            with suppress(Crash):
                write(path, b"new content")
        seen.append(path.read_bytes() if path.exists() else None)
        assert not path.exists() or matches(path) is True
        write(path, b"next content")  # what the crash left is in nobody's way
        assert matches(path) is True
    assert seen[0] == before
    assert seen[-1] == b"new content"
    assert seen == sorted(seen, key=lambda content: content == b"new content")


def test_bytes_are_on_the_disk_before_they_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(number: int) -> None:
        done.append(f"flush {Path(os.readlink(f'/proc/self/fd/{number}')).name}")
        fsync(number)

    def noted_replace(old: Path, new: Path) -> None:
        done.append(f"name {new.name}")
        replace(old, new)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc to tell which file is flushed")
    monkeypatch.setattr(module.os, "fsync", noted_fsync)
    monkeypatch.setattr(module.os, "replace", noted_replace)
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.ckpt", b"content")
    assert done == [
        "flush a.ckpt.part",
        "flush a.ckpt.sha256.part",
        "name a.ckpt.sha256",
        "flush folder",
        "name a.ckpt",
        "flush folder",
    ]


@pytest.fixture
def small_files() -> Iterator[None]:
    """The operating system itself refuses what grows above 100,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("before", [None, b"old content"])
def test_a_refused_write_leaves_what_was_there(before: bytes | None, tmp_path: Path) -> None:
    if before is not None:
        write(tmp_path / "a.ckpt", before)
    expected = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match="File too large"):
        write(tmp_path / "a.ckpt", bytes(200_000))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected


def test_a_sidecar_that_cannot_get_its_name_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(old: Path, new: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(new))

    monkeypatch.setattr(module.os, "replace", refuse)
    with pytest.raises(OSError, match=r"Input/output error: .*a\.ckpt\.sha256"):
        write(tmp_path / "a.ckpt", b"content")
    assert names(tmp_path) == set()


def test_what_cannot_get_its_name_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "a.ckpt", b"content")
    assert names(tmp_path) == {"a.ckpt"}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["disk full", "ctrl-c"])
def test_the_first_error_of_a_write_wins_over_what_the_writer_makes_of_it(error: BaseException, tmp_path: Path) -> None:
    def writer(file: Any) -> None:
        file.file = Refusing(error)
        try:
            file.write(b"content")
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")  # as torch does

    with pytest.raises(type(error)) as caught, replacing(tmp_path / "a.ckpt") as file:
        writer(file)
    assert caught.value is error
    assert names(tmp_path) == set()


class Refusing:
    """A file that takes nothing."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def write(self, data: bytes) -> int:
        raise self.error


def test_a_link_where_the_temporary_file_goes_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    part(tmp_path / "a.ckpt").symlink_to("precious")
    write(tmp_path / "a.ckpt", b"content")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_folders_that_cannot_be_flushed_are_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def files_only(number: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{number}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(number)

    monkeypatch.setattr(module.os, "fsync", files_only)
    write(tmp_path / "a.ckpt", b"content")
    assert matches(tmp_path / "a.ckpt") is True
