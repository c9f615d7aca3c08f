"""A dialogue with a provider on this machine, by the socket beside its state. Knows sockets, not the bus.

It needs no forwarder, so nothing can be lost on the way, and no import of the bus, which would take longer
than all that a command does.
"""

from __future__ import annotations

import socket

from context_bus.client.dialogue import Dialogue
from context_bus.errors import NobodyListens
from context_bus.kernel.framing import HEAD, enclose, length_of
from context_bus.kernel.ids import new_token
from context_bus.kernel.message import Message, join_frame, split_frame
from context_bus.kernel.socketpath import short_path


class Indoors(Dialogue):
    """One question and its answers.

    Args:
        path: The socket.

    Raises:
        OSError: There is no provider at the socket.
    """

    def __init__(self, path: str) -> None:
        super().__init__(f"indoors.{new_token(8)}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unread = b""
        try:
            with short_path(path) as (place, _):
                self._socket.connect(place)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _send(self, topic: str, message: Message[object]) -> None:
        import msgspec

        try:
            self._socket.settimeout(None)
            self._socket.sendall(enclose(join_frame(topic, msgspec.json.encode(message))))
        except ConnectionError:
            raise _gone() from None

    def _receive(self, timeout: float) -> tuple[str, bytes] | None:
        """As in `Dialogue`.

        Raises:
            NobodyListens: The provider ended.
        """
        self._socket.settimeout(timeout)
        try:
            head = self._take(HEAD)
            frame = self._take(HEAD + length_of(head))[HEAD:]
        except TimeoutError:
            return None
        except ConnectionError:
            raise _gone() from None
        self._unread = self._unread[HEAD + len(frame) :]
        return split_frame(frame)

    def _take(self, size: int) -> bytes:
        """So many bytes from the beginning of what is unread; they stay unread until the frame is whole."""
        while len(self._unread) < size:
            more = self._socket.recv(1 << 18)
            if not more:
                raise _gone()
            self._unread += more
        return self._unread[:size]


def _gone() -> NobodyListens:
    return NobodyListens("the provider ended before it answered")
