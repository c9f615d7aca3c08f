"""Signals that are read."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from context_bus.process.signalfile import Caught, SignalFile

NUMBERS = {signal.SIGUSR1, signal.SIGUSR2}
#: ``si_code`` of a signal from one thread to another.
SI_TKILL = -6


@pytest.fixture
def signals() -> Iterator[SignalFile]:
    """Two that are blocked meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        with SignalFile(NUMBERS) as signals:
            yield signals
            signals.take()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_signals_are_read_once_with_their_sender(signals: SignalFile) -> None:
    """The descriptor says so; those for which it is not stay away."""
    assert signals.take() == []
    assert not select.select([signals], [], [], 0)[0]
    for number in NUMBERS:  # to this thread: others of the process do not block them
        signal.pthread_kill(threading.get_ident(), number)
    assert select.select([signals], [], [], 10)[0]
    assert sorted(signals.take()) == [Caught(int(one), SI_TKILL, os.getpid()) for one in sorted(NUMBERS)]
    assert signals.take() == []


def test_descriptor_is_not_inherited_and_closed_once(signals: SignalFile) -> None:
    """Whatever is executed knows nothing of it."""
    assert not os.get_inheritable(signals.fileno())
    other = SignalFile({signal.SIGUSR1})
    other.close()
    other.close()
