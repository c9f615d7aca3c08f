"""Who listens, as a publisher's own socket tells it. Knows the XPUB socket; must not send.

Each filter anybody sets travels through the forwarder to every publisher, as a frame to be read. So
readiness is a fact that was read, not a time that was slept.
"""

from __future__ import annotations

import functools
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol

import zmq

from context_bus.bus import sockets
from context_bus.bus.report import STATS_TOPIC
from context_bus.kernel.kept import ASKED
from context_bus.kernel.message import SEPARATOR

#: How the filters of those begin who want nodes to report; a second watcher's is not told to us but by one
#: of its own, under the topic itself.
_WATCHED = b"\x01" + STATS_TOPIC.encode()
_REPORTS = STATS_TOPIC.encode() + SEPARATOR

_time = time.time


class Attendant(Protocol):
    """Who answers those that ask for kept values; called with the lock held."""

    def asked(self, question: bytes) -> None:
        """Somebody has set the filter that is the question."""
        ...

    def looked(self, now: float, before: float) -> bool:
        """All that had arrived was read; the look before was at ``before``.

        Says whether to look once more: it has sent, which takes the signal of news off the descriptor.
        """
        ...


class Audience:
    """The filters known to one XPUB socket.

    Args:
        sock: The socket; others send on it.
        lock: Held by whoever uses the socket.
    """

    def __init__(self, sock: zmq.Socket[bytes], lock: threading.Lock) -> None:
        #: Turns readable when ``refresh`` has something to do, unless a send took that away.
        self.descriptor = sockets.descriptor(sock)
        #: Wall clock when the socket was looked at last.
        self.looked = 0.0
        #: Who wants to be called at which filter.
        self.waiting: dict[bytes, list[Callable[[], object]]] = {}
        #: Called, with the lock held, when somebody begins to listen to what nodes report.
        self.on_watched: Callable[[], object] = _ignore
        #: Who answers questions for kept values; None where nothing is kept.
        self.attendant: Attendant | None = None
        #: Somebody reads whenever the descriptor turns readable.
        self.is_attended = False
        self._socket = sock
        self._lock = lock
        self._filters: set[bytes] = set()
        self._closed = False

    def read(self, now: float) -> None:
        """Take in what has arrived; with the lock held."""
        before, self.looked = self.looked, now
        if self._closed:
            return
        attendant = self.attendant
        watched = self._take_in(attendant)
        while attendant is not None and attendant.looked(now, before):
            watched = self._take_in(attendant) or watched
        if watched and _REPORTS in self._filters:  # who has come and gone meanwhile needs no report
            self.on_watched()

    def _take_in(self, attendant: Attendant | None) -> bool:
        """Read what is there; says whether somebody has begun to watch what nodes report."""
        recv, filters, waiting = self._socket.recv, self._filters, self.waiting
        watched = False
        while sockets.is_readable(self._socket):
            try:
                while True:
                    frame = recv(zmq.DONTWAIT)
                    if frame[:1] == b"\x01":
                        prefix = frame[1:]
                        filters.add(prefix)
                        watched = watched or frame.startswith(_WATCHED)
                        if waiting:
                            for call in waiting.get(prefix, ()):
                                call()
                        if attendant is not None and frame.startswith(ASKED):
                            attendant.asked(prefix)
                    elif frame[:1] == b"\x00":
                        filters.discard(frame[1:])
            except zmq.Again:
                continue
        return watched

    def reaches(self, topic: str) -> bool:
        """Whether somebody is known to listen to this topic, by it, by its first bytes or to everything."""
        word = topic.encode()
        return not self._filters.isdisjoint((word + SEPARATOR, word, b""))

    def knows(self, prefix: bytes) -> bool:
        """Whether this filter was known when the socket was looked at last; costs next to nothing."""
        return prefix in self._filters

    def refresh(self) -> None:
        """Take in what has arrived."""
        with self._lock:
            self.read(_time())

    def refresh_after(self, seconds: float) -> None:
        """Take in what has arrived, unless that was done less than so many seconds ago."""
        if not 0.0 <= _time() - self.looked < seconds:
            self.refresh()

    def has(self, prefix: bytes) -> bool:
        """Whether somebody is known to have set this filter."""
        with self._lock:
            self.read(_time())
            return prefix in self._filters

    def wait(self, prefix: bytes, timeout: float) -> bool:
        """Wait until somebody has set this filter; says whether it was in time."""
        if prefix in self._filters:
            return True
        wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        signal = functools.partial(os.eventfd_write, wake, 1)
        try:
            return self.call_when_heard(prefix, signal) or self._wait(
                prefix, wake, time.monotonic() + timeout
            )
        finally:
            self.forget_call(prefix, signal)
            os.close(wake)

    def _wait(self, prefix: bytes, wake: int, deadline: float) -> bool:
        # Two ways to hear of it: the socket has news, or another thread that sends has read them already.
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while not self.has(prefix):
            left = deadline - time.monotonic()
            if left <= 0 or self._closed:
                return False
            poll.poll(left * 1000)
        return True

    def call_when_heard(self, prefix: bytes, call: Callable[[], object]) -> bool:
        """Call back, from any thread, when a filter is known; True, and no call, if it is already."""
        with self._lock:
            self.read(_time())
            if prefix in self._filters:
                return True
            self.waiting.setdefault(prefix, []).append(call)
            return False

    def forget_call(self, prefix: bytes, call: Callable[[], object]) -> None:
        """Take a callback back; safe to repeat."""
        with self._lock:
            calls = self.waiting.get(prefix, [])
            if call in calls:
                calls.remove(call)
            if not calls:
                self.waiting.pop(prefix, None)

    def close(self) -> None:
        """Read no more, and let go of all who wait; with the lock held, before the socket is closed."""
        self._closed = True
        for calls in self.waiting.values():
            for call in calls:
                call()


def _ignore() -> None:
    """Nobody minds."""
