"""The last message of topics, kept by who sent it, for those who join late. Knows audience and frames.

A question for kept values is a filter (see ``kernel.kept``), so it comes where all filters come, and whoever
reads them answers at once. In a node that sends nothing nobody would read them: for that each publisher that
keeps has a thread of its own, which rests on the descriptor of the socket.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

import zmq

from context_bus.bus.audience import Audience
from context_bus.kernel.kept import answer, topic_of

#: Answers given on the way of a message; a thousand topics asked for at once must not hold it up for long.
AT_ONCE = 64
#: Seconds that the thread leaves to a sender which looks at news itself, before it looks once more.
REST = 0.004
#: Seconds between two looks of senders below which they need no thread.
OFTEN = 0.001
#: Milliseconds after which an answer is given again that the queue to the forwarder did not take.
AGAIN_MS = 5
#: Stands in ``Audience.waiting`` while the thread rests; no filter is like it.
_RESTS = b"\x00rests"


class Cell:
    """The last frame of one topic; empty before the first. Written for each message."""

    __slots__ = ("frame",)

    def __init__(self) -> None:
        self.frame = b""


class Keeper:
    """Answers for one publisher. All methods but ``close`` want the lock of the audience held.

    Args:
        audience: Where questions come from.
        lock: That of the audience.
        send: Sends a frame with flags; with ``DONTWAIT`` it raises ``zmq.Again``.
        cells: What is kept, by topic; the publisher writes it.
    """

    def __init__(
        self,
        audience: Audience,
        lock: threading.Lock,
        send: Callable[[bytes, int], object],
        cells: dict[str, Cell],
    ) -> None:
        self._audience, self._lock, self._send, self._cells = audience, lock, send, cells
        self._due: collections.deque[bytes] = collections.deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = False
        self._closed = False
        self._thread: threading.Thread | None = None
        audience.attendant = self
        if audience.is_attended:
            # A send takes the signal of news off the descriptor; so each has to look.
            audience.waiting[_RESTS] = []
        else:
            self._thread = threading.Thread(target=self._attend, name="kept-values", daemon=True)
            self._thread.start()

    # -- whoever reads the audience ----------------------------------------------------------------

    def asked(self, question: bytes) -> None:
        """Note a question, to be answered as soon as all that has arrived is read."""
        cell = self._cells.get(topic_of(question))
        if cell is not None and cell.frame:
            self._due.append(question)

    def looked(self, now: float, before: float) -> bool:
        """Answer; and let a sender that looks often have the thread look in its place."""
        is_answering = bool(self._due)
        if is_answering:
            self._answer(AT_ONCE if self._thread is not None else len(self._due))
        if self._thread is None:
            return is_answering and not self._due  # what was not taken is sent when the socket has moved
        if self._due or (_RESTS in self._audience.waiting and 0.0 <= now - before < OFTEN):
            self._audience.waiting.pop(_RESTS, None)
            if threading.current_thread() is not self._thread:
                os.eventfd_write(self._wake, 1)
        return is_answering and not self._due

    def _answer(self, count: int) -> None:
        due, cells, audience = self._due, self._cells, self._audience
        for _ in range(min(count, len(due))):
            question = due[0]
            topic = topic_of(question)
            cell = cells.get(topic)
            if cell is not None and audience.knows(question):
                try:
                    self._send(answer(question, topic, cell.frame), zmq.DONTWAIT)
                except zmq.ZMQError:  # full for the moment, or closed
                    return
            due.popleft()

    # -- the thread --------------------------------------------------------------------------------

    def _attend(self) -> None:
        poll, wake = select.poll(), select.poll()
        poll.register(self._audience.descriptor, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        wake.register(self._wake, select.POLLIN)
        while not self._closing:
            with self._lock:
                before = len(self._due)
                self._audience.read(time.time())
                has_more, is_stuck = bool(self._due), len(self._due) >= before > 0
                if not has_more:
                    self._audience.waiting[_RESTS] = []
            if has_more:
                wake.poll(AGAIN_MS if is_stuck else 0)
            elif any(fd == self._wake for fd, _ in poll.poll()):
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
                wake.poll(REST * 1000)

    def close(self) -> None:
        """End the thread; without the lock, before the socket is closed. Safe to repeat."""
        self._closing = True
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._audience.attendant = None
            self._audience.waiting.pop(_RESTS, None)
            os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
        os.close(self._wake)


def last_of(prefix: bytes, number: int, now: bytes, content: bytes) -> bytes:
    """The frame of the last message of a batch, as it would have been sent alone."""
    return b'%b%d,"sent_at":%b},"content":%b}' % (prefix, number, now, content)


__all__ = ["Cell", "Keeper", "last_of"]
