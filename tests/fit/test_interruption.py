"""Ctrl-C and SIGTERM count once where what was finished is kept, and as before after it."""

import signal
from collections.abc import Iterator

import pytest

from fit.interruption import SIGNALS, once


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_interrupts_and_the_others_change_nothing(number: signal.Signals) -> None:
    with once():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        for another in SIGNALS:
            signal.raise_signal(another)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with once():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
