"""Clips that fail while training: replaced as (seed, epoch, index) decide, told once, and counted up to a limit."""

import sys
from collections.abc import Iterable

import cv2

from datamodules.batch import Clips, Failure
from datamodules.errors import DataError
from datamodules.random import Draw, rng
from datamodules.source import ClipSource

ATTEMPTS = 10  # clips tried for one place: if all fail, it is the disk, not a few files
# What readers and decoders raise on damaged or vanished files. Anything else is a mistake in a program and stops it.
READ_ERRORS = (OSError, RuntimeError, ValueError, EOFError, cv2.error)


def read(source: ClipSource, draw: Draw, domain: str) -> tuple[Clips, int, list[Failure]]:
    """The clip a draw names, or, if that cannot be read, another one.

    Args:
        source: of the clips.
        draw: names the clip.
        domain: "content" or "style".

    Returns:
        The clip, its number, and what failed before it.

    Raises:
        DataError: several clips one after the other cannot be read.
    """
    index, failed = draw.index, list[Failure]()
    for attempt in range(ATTEMPTS):
        try:
            return source.clip(draw._replace(index=index)), index, failed
        except READ_ERRORS as error:
            failed.append(_failure(error, domain, index, len(source)))
        index = int(rng(draw.seed, f"{domain} replacement {attempt}", draw.epoch, draw.index).integers(len(source)))
    got = f"{ATTEMPTS} in a row that cannot (this one: {failed[-1].reason})"
    raise DataError(failed[-1].path, f"{domain} clips that can be read", got, "see whether the disk is still there")


def _failure(error: Exception, domain: str, number: int, clips: int) -> Failure:
    if isinstance(error, DataError):
        return Failure(domain, number, clips, str(error.path), f"expected {error.expected}, got {error.got}")
    path = getattr(error, "filename", None) or f"{domain} clip {number}"
    return Failure(domain, number, clips, str(path), " ".join(f"{type(error).__name__}: {error}".split()))


class Failures:
    """What has failed so far, kept in the process that trains.

    Args:
        limit: largest share of the clips of a domain that may fail.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.known: set[tuple[str, int]] = set()

    def take(self, failed: Iterable[Failure]) -> None:
        """Tell of each clip once.

        Raises:
            DataError: they are too many.
        """
        for failure in failed:
            if (failure.domain, failure.number) in self.known:
                continue
            self.known.add((failure.domain, failure.number))
            print(f"{failure.path}: {failure.reason}; another clip takes its place", file=sys.stderr)
            count = sum(domain == failure.domain for domain, _ in self.known)
            if count > self.limit * failure.clips:
                expected = f"at most {self.limit:.0%} of {failure.clips} {failure.domain} clips to fail"
                action = "repair or remove what is named above, or raise max_failed"
                raise DataError(failure.path, expected, f"{count} that did, this one last", action)
