"""Messages with descriptors over a local socket. Knows messages; must not know who sends them, or why.

The sockets keep message boundaries (SOCK_SEQPACKET). What would not fit into one packet whatever the
socket's buffer travels in a memory file, whose descriptor goes first.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from context_bus.errors import ProcessError
from context_bus.process.messages import Message, decode, encode

#: Bytes of a message that travel in the packet itself; more go by a memory file.
PACKET = 16_384
#: Descriptors that may go with one message; the kernel takes 253.
MOST_DESCRIPTORS = 250
#: What a packet says whose message is in the first descriptor.
_ELSEWHERE = b"@"
_SPACE = socket.CMSG_SPACE((MOST_DESCRIPTORS + 1) * 4)


def send(link: socket.socket, message: Message, descriptors: Sequence[int] = (), flags: int = 0) -> None:
    """Send a message with copies of descriptors.

    Raises:
        ProcessError: There are more descriptors than can travel together.
        OSError: The other side is gone, or (BlockingIOError) does not read.
    """
    if len(descriptors) > MOST_DESCRIPTORS:
        raise ProcessError(
            f"{len(descriptors)} descriptors cannot be given to one process; at most {MOST_DESCRIPTORS} can"
        )
    data = encode(message)
    if len(data) <= PACKET:
        _send(link, data, descriptors, flags)
        return
    file = memory_file("message", data)
    try:
        _send(link, _ELSEWHERE, [file, *descriptors], flags)
    finally:
        os.close(file)


def _send(link: socket.socket, data: bytes, descriptors: Sequence[int], flags: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    link.sendmsg([data], rights, flags | socket.MSG_NOSIGNAL)


def receive(link: socket.socket) -> tuple[Message, list[int]] | None:
    """Take the next message; None when the other side is gone.

    Descriptors that find no place in this process are lost: a message that announces some comes with none.

    Raises:
        BlockingIOError: There is none yet, and the socket does not wait.
        ProcessError: It is no message of ours.
    """
    try:
        data, rights, flags, _ = link.recvmsg(PACKET, _SPACE, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return None
    if not data:
        return None
    found = array.array("i")
    for _, _, words in rights:
        found.frombytes(words[: len(words) - len(words) % found.itemsize])
    descriptors = found.tolist()
    try:
        if data == _ELSEWHERE:
            if not descriptors:
                raise ProcessError("too many open files to receive a message; raise `ulimit -n`")
            data = read_memory_file(descriptors.pop(0))
        message = decode(data)
        if flags & socket.MSG_CTRUNC:
            close_all(descriptors)
            descriptors.clear()
        return message, descriptors
    except BaseException:
        close_all(descriptors)
        raise


def memory_file(name: str, data: bytes) -> int:
    """Make a file in memory that holds these bytes; returns its descriptor."""
    file = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
    except BaseException:
        os.close(file)
        raise
    return file


def read_memory_file(descriptor: int) -> bytes:
    """Read a file in memory from its beginning, and close it."""
    with open(descriptor, "rb", buffering=0) as file:
        file.seek(0)
        return file.readall()


def close_all(descriptors: Iterable[int]) -> None:
    """Close descriptors, also those that are closed already."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


class Watch:
    """Calls who has to do with a descriptor when it is readable."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, handler: Callable[[], None], events: int = select.POLLIN) -> None:
        """Begin to watch a descriptor, or watch it for other events."""
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Watch a descriptor no longer; call it before closing it."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def turn(self, timeout: float | None) -> bool:
        """Wait for something to happen and have it handled; False when nothing did in time (seconds)."""
        ready = self._poll.poll(None if timeout is None else timeout * 1000)
        for descriptor, _ in ready:
            if (handler := self._handlers.get(descriptor)) is not None:
                handler()
        return bool(ready)


class Link:
    """One end of a connection whose owner must never wait: what is not taken at once is sent later.

    Args:
        connection: A connected socket; belongs to the link from now on.
        watch: Tells when it can be read or written.
        on_readable: Called when it can be read.
    """

    def __init__(self, connection: socket.socket, watch: Watch, on_readable: Callable[[Link], None]) -> None:
        self._socket, self._watch = connection, watch
        self._unsent: deque[tuple[Message, list[int]]] = deque()
        self.on_readable = on_readable
        connection.setblocking(False)
        self.peer = _peer(connection)
        watch.add(connection.fileno(), self._ready)

    def send(self, message: Message, descriptors: Iterable[int] = ()) -> None:
        """Send a message with copies of descriptors, now or as soon as the other side reads."""
        self._unsent.append((message, [os.dup(one) for one in descriptors]))
        self._flush()

    def receive(self) -> tuple[Message, list[int]] | None:
        """Take the next message; as the function of that name."""
        return receive(self._socket)

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection."""
        self._watch.remove(self._socket.fileno())
        self._socket.close()
        for _, copies in self._unsent:
            close_all(copies)
        self._unsent.clear()

    def drain(self, timeout: float) -> None:
        """Send what is still unsent, as far as the other side reads within so many seconds."""
        deadline = time.monotonic() + timeout
        while self._unsent and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._socket], [], left)
            self._flush()

    def _ready(self) -> None:
        if self._unsent:
            self._flush()
        self.on_readable(self)

    def _flush(self) -> None:
        while self._unsent:
            message, copies = self._unsent[0]
            try:
                send(self._socket, message, copies)
            except BlockingIOError:
                self._watch.add(self.fileno(), self._ready, select.POLLIN | select.POLLOUT)
                return
            except OSError:
                pass  # the other side is gone: that is read, not written
            self._unsent.popleft()
            close_all(copies)
        self._watch.add(self.fileno(), self._ready)


def _peer(connection: socket.socket) -> tuple[int, int]:
    """Pid and user of the process at the other end, or of the one that made the pair."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, user, _ = array.array("i", data)
    return pid, user
