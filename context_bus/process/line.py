"""The owner's end of the connection to its guardian. Knows the wire; not what the orders are about."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Sequence

from context_bus.errors import ProcessError
from context_bus.process.asked import GuardianGone
from context_bus.process.messages import Collect, Message, Order
from context_bus.process.wire import receive, send

_log = logging.getLogger(__name__)

#: What a socket says whose other end is gone, or that has been closed for that reason.
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.ENOTCONN})


class Line:
    """A connection on which any thread gives orders, and one hears the news.

    Args:
        connection: A connected socket; belongs to the line from now on.
        pid: Of the guardian, for messages.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self._pid = connection, pid
        self._lock = threading.Lock()
        self._collected: list[int] = []

    def order(self, order: Order, descriptors: Sequence[int] = ()) -> None:
        """Give an order, with copies of descriptors.

        Raises:
            GuardianGone: The guardian has ended.
            ProcessError: The order cannot be sent.
        """
        with self._lock:
            self._flush(0)
            self._send(order, descriptors)

    def collect(self, number: int) -> None:
        """Have a child forgotten, now or with the next order: nobody waits for a guardian that hangs."""
        with self._lock:
            self._collected.append(number)
            with contextlib.suppress(BlockingIOError, GuardianGone):
                self._flush(socket.MSG_DONTWAIT)

    def receive(self) -> tuple[Message, list[int]] | None:
        """Wait for news; None when the guardian has ended."""
        while True:
            try:
                return receive(self._connection)
            except OSError:
                return None
            except ProcessError:
                _log.exception("news of guardian lost: pid=%d", self._pid)

    def fileno(self) -> int:
        """Descriptor of the connection; -1 when there is none."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close the connection, while nobody sends."""
        with self._lock:
            self._connection.close()

    def abandon(self) -> None:
        """Close the connection in a process that was forked, where nobody may ever give the lock back."""
        self._connection.close()

    def _flush(self, flags: int) -> None:
        if self._collected:
            self._send(Collect(tuple(self._collected)), (), flags)
            self._collected.clear()

    def _send(self, order: Order, descriptors: Sequence[int], flags: int = 0) -> None:
        try:
            send(self._connection, order, descriptors, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno in _GONE:
                raise GuardianGone(f"guardian {self._pid} has ended") from error
            raise ProcessError(f"cannot order guardian {self._pid}: {error.strerror}") from error
