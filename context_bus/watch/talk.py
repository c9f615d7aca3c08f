"""What front and watcher tell each other, over two pipes. Knows pipes and JSON; must not know tasks.

A front tells numbers of signals, one byte each; that it is gone shows by the end of the pipe. A watcher tells
facts, a line of JSON each, which the front reads when it needs them.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import NamedTuple, TypeAlias

import context_bus.errors
from context_bus.errors import ContextBusError, InternalError

#: What a watcher tells, by name.
Facts: TypeAlias = dict[str, object]


class Line(NamedTuple):
    """One end of the two pipes: where to read what the other says, and where to tell it."""

    hear: int
    say: int

    def close(self) -> None:
        """Close this end."""
        os.close(self.hear)
        os.close(self.say)

    def take_signals(self) -> bytes | None:
        """Signals that the front has passed on since the last time; None when it is gone."""
        try:
            return os.read(self.hear, 64) or None
        except BlockingIOError:
            return b""

    def pass_on(self, number: int) -> None:
        """Tell the watcher of a signal; one that is gone needs none."""
        with contextlib.suppress(OSError):
            os.write(self.say, bytes([number]))

    def tell(self, **facts: object) -> None:
        """Tell the front facts; one that is gone needs none."""
        write_facts(self.say, facts)

    def take_facts(self) -> Facts:
        """All facts that the watcher has told since the last time, without waiting for more."""
        merged: Facts = {}
        for facts in read_facts(self.hear):
            merged |= facts
        return merged


def pair() -> tuple[Line, Line]:
    """Both ends: that of the front, that of the watcher."""
    from_front, to_watcher = os.pipe()
    from_watcher, to_front = os.pipe()
    for end in (from_front, to_watcher, from_watcher, to_front):
        os.set_blocking(end, False)
    return Line(from_watcher, to_watcher), Line(from_front, to_front)


def write_facts(descriptor: int, facts: Facts) -> None:
    """Write facts as one line, so short that the kernel does not divide it."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(facts).encode() + b"\n")


def read_facts(descriptor: int) -> list[Facts]:
    """Read facts until nobody is left who could tell more; if the pipe does not wait, what there is."""
    text = b""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(descriptor, 65536):
            text += data
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


def packed(error: ContextBusError) -> list[object]:
    """An error as a fact."""
    return [type(error).__name__, list(error.args)]


def unpacked(fact: object) -> ContextBusError:
    """The error that a fact is."""
    assert isinstance(fact, list)
    name, arguments = fact
    kind = getattr(context_bus.errors, name, InternalError)
    assert issubclass(kind, ContextBusError)
    return kind(*arguments)
