"""Ctrl-C and SIGTERM, where what was finished is to be kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def once() -> Iterator[None]:
    """Raise KeyboardInterrupt for the first of them alone: who asks again while it is obeyed would only undo that.

    Signals that do not raise it anyway are left as they are. Call it in the main thread.
    """
    taken = [number for number in SIGNALS if signal.getsignal(number) is signal.default_int_handler]

    def first(number: int, frame: FrameType | None) -> None:
        for other in taken:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.default_int_handler)
