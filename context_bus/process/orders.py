"""What the owner of outputs and their writer tell each other, and the wire between them.

Knows Unix sockets, over which descriptors travel along with orders; must not know files or terminals.
Messages are MessagePack, since nothing from a channel is unpickled, and since a path may be any bytes.
"""

from __future__ import annotations

import array
import enum
import socket
import struct
from collections import deque
from dataclasses import dataclass
from errno import ETOOMANYREFS
from pathlib import Path

import msgspec

from context_bus.errors import ProcessError

#: Length of the message that follows, in bytes.
_HEAD = struct.Struct("!I")
#: Bytes taken from the socket at once.
_CHUNK = 65536
#: Descriptors that may come with one chunk; the kernel ends a chunk after the first message that has one.
_MOST_DESCRIPTORS = 8


class SinkKind(enum.StrEnum):
    """What becomes of a stream."""

    INHERIT = "inherit"  # it is the owner's own
    NULL = "null"  # nobody wants it
    FILE = "file"  # a file that is rotated, and shown if wanted


@dataclass(frozen=True, slots=True)
class Sink:
    """Where one stream of a child goes.

    Args:
        kind: What becomes of it.
        path: The file; its directory is made if missing.
        max_bytes: Size at which the file is rotated; 0 never.
        backups: Rotated files that are kept, as ``path.1`` (the newest) to ``path.N``.
        show: Whether its lines are shown on the owner's terminal, too.
    """

    kind: SinkKind = SinkKind.INHERIT
    path: Path = Path()
    max_bytes: int = 10 * 1024 * 1024
    backups: int = 5
    show: bool = False

    def __post_init__(self) -> None:
        if self.kind is SinkKind.FILE and not self.path.name:
            raise ValueError("a sink of kind file needs a path")
        if self.max_bytes < 0 or self.backups < 0:
            raise ValueError(f"max_bytes {self.max_bytes} and backups {self.backups} must not be negative")


class _Order(msgspec.Struct, frozen=True, tag=True):
    """What the owner tells the writer."""


class Show(_Order, frozen=True):
    """Show lines on the terminal that comes along.

    Args:
        colour: Whether it wants names in colour.
    """

    colour: bool


class Attach(_Order, frozen=True):
    """Write what comes out of the pipe that comes along.

    Args:
        number: What the pipe is called from now on.
        name: Whose output it is.
        path: The file.
        max_bytes: Size at which it is rotated; 0 never.
        backups: Rotated files that are kept.
        show: Whether it is shown, too.
    """

    number: int
    name: str
    path: bytes
    max_bytes: int
    backups: int
    show: bool


class Release(_Order, frozen=True):
    """The child behind a pipe is gone; whoever still holds its other end is not waited for at the end."""

    number: int


class Reopen(_Order, frozen=True):
    """Look now whether files were moved away."""


class Keep(_Order, frozen=True):
    """Go on without the owner until every pipe has ended, however long that takes."""


class Finish(_Order, frozen=True):
    """End when all is written, at the latest in so many seconds."""

    seconds: float


class _Report(msgspec.Struct, frozen=True, tag=True):
    """What the writer tells the owner."""


class Ended(_Report, frozen=True):
    """All ends of a pipe are closed and what was in it is dealt with.

    Args:
        number: The pipe.
        lost: Bytes that its file did not take and does not tell of.
    """

    number: int
    lost: int = 0


class Trouble(_Report, frozen=True):
    """What a child writes cannot be kept; it is counted and thrown away.

    Args:
        name: Whose output it is.
        path: The file.
        reason: Why, as the system says it.
    """

    name: str
    path: bytes
    reason: str


class Recovered(_Report, frozen=True):
    """What a child writes can be kept again.

    Args:
        name: Whose output it is.
        path: The file.
        lost: Bytes that were thrown away; the file says so, too.
    """

    name: str
    path: bytes
    lost: int


Order = Show | Attach | Release | Reopen | Keep | Finish
Report = Ended | Trouble | Recovered


@dataclass(eq=False, slots=True)
class _Outgoing:
    """What is left to send of one message, and the descriptor that goes with its first byte."""

    data: bytes
    descriptor: int = -1


class Wire:
    """One end of the channel between owner and writer; never blocks, whoever else uses the socket.

    Args:
        descriptor: The socket; this end has a duplicate of its own.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
        self._outgoing: deque[_Outgoing] = deque()
        self._incoming = bytearray()
        self._descriptors: deque[int] = deque()
        self.is_closed = False

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._socket.fileno()

    def put(self, message: Order | Report, descriptor: int = -1) -> None:
        """Queue a message; ``flush`` sends it. The descriptor must stay open until then."""
        body = msgspec.msgpack.encode(message)
        self._outgoing.append(_Outgoing(_HEAD.pack(len(body)) + body, descriptor))

    def flush(self) -> bool:
        """Send what the socket takes; returns whether that was all. A peer that is gone takes everything."""
        while self._outgoing:
            first = self._outgoing[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [first.descriptor]))]
            flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            try:
                sent = self._socket.sendmsg([first.data], rights if first.descriptor >= 0 else [], flags)
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno == ETOOMANYREFS:  # too many are under way; the peer is about to take them
                    return False
                self._outgoing.clear()
                break
            first.data, first.descriptor = first.data[sent:], -1
            if not first.data:
                self._outgoing.popleft()
        return True

    def receive_orders(self) -> list[tuple[Order, int]]:
        """Take the orders that are there, each with its descriptor or -1; at the end see ``is_closed``.

        Raises:
            ProcessError: A descriptor was lost on its way: this process may open no more of them.
        """
        orders = [_ORDERS.decode(body) for body in self._receive()]
        return [
            (order, self._descriptors.popleft() if isinstance(order, Attach | Show) else -1)
            for order in orders
        ]

    def receive_reports(self) -> list[Report]:
        """Take the reports that are there; at the end see ``is_closed``."""
        return [_REPORTS.decode(body) for body in self._receive()]

    def close(self) -> None:
        """Close this end."""
        self.is_closed = True
        self._socket.close()

    def _receive(self) -> list[bytes]:
        size = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
        while True:
            try:
                data, rights, flags, _ = self._socket.recvmsg(
                    _CHUNK, size, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except ConnectionError:
                data, rights, flags = b"", [], 0
            for _, _, raw in rights:
                received = array.array("i")
                received.frombytes(raw[: len(raw) - len(raw) % received.itemsize])
                self._descriptors.extend(received)
            if flags & socket.MSG_CTRUNC:
                raise ProcessError(
                    "a descriptor was lost on its way to the writer of outputs; see `ulimit -n`"
                )
            if not data:
                self.is_closed = True
                break
            self._incoming += data
        return self._split()

    def _split(self) -> list[bytes]:
        bodies: list[bytes] = []
        start = 0
        while len(self._incoming) >= start + _HEAD.size:
            (length,) = _HEAD.unpack_from(self._incoming, start)
            end = start + _HEAD.size + length
            if len(self._incoming) < end:
                break
            bodies.append(bytes(self._incoming[start + _HEAD.size : end]))
            start = end
        del self._incoming[:start]
        return bodies


_ORDERS = msgspec.msgpack.Decoder(Order)
_REPORTS = msgspec.msgpack.Decoder(Report)
