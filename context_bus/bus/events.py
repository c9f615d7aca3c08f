"""When a peer comes and goes, as the socket itself notices. Knows sockets; must not know messages.

A frozen forwarder is found by heartbeats: without them a connection to a stopped process looks well for
ever. Only who acts on it asks for them, the provider that replaces its forwarder.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Iterator

import zmq
from zmq.utils.monitor import recv_monitor_message

from context_bus.bus import sockets

#: Seconds between two heartbeats.
HEARTBEAT_INTERVAL = 0.05
#: Seconds without an answer to one, after which a peer counts as gone: together 0.33 s at worst, and a
#: machine that stands still for a quarter of a second raises no alarm.
HEARTBEAT_TIMEOUT = 0.28


class Link(enum.StrEnum):
    """What happened to a connection."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    REFUSED = "refused"


#: A TCP connection to a frozen process is made by its kernel; only the handshake proves that it lives.
_MEANING = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: Link.CONNECTED,
    zmq.EVENT_DISCONNECTED: Link.DISCONNECTED,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: Link.REFUSED,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: Link.REFUSED,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: Link.REFUSED,
}


class LinkWatch:
    """Watches a forwarder by a connection of its own, on which nothing but heartbeats passes.

    Args:
        endpoint: Where the forwarder serves listeners.
        heartbeat_interval: Seconds between two heartbeats.
        heartbeat_timeout: Seconds without an answer after which the forwarder counts as gone.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        heartbeat_timeout: float = HEARTBEAT_TIMEOUT,
    ) -> None:
        self.endpoint = endpoint
        #: Whether the forwarder answered last.
        self.is_connected = False
        self._context = sockets.new_context()
        heartbeat = (heartbeat_interval, heartbeat_timeout)
        with sockets.released_on_failure(self._context):
            self._socket, self._monitor = sockets.monitored_socket(
                self._context, endpoint, heartbeat=heartbeat, events=sum(_MEANING)
            )

    def read(self) -> Iterator[Link]:
        """Take what has happened since the last call, without waiting."""
        while sockets.is_readable(self._monitor):
            event = recv_monitor_message(self._monitor, zmq.DONTWAIT)
            link = _MEANING[zmq.Event(event["event"])]
            self.is_connected = link is Link.CONNECTED
            yield link

    def wait(self, link: Link, timeout: float) -> bool:
        """Wait until this happens; says whether it did in time."""
        deadline = time.monotonic() + timeout
        while True:
            if link in self.read():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._monitor.poll(round(left * 1000) + 1)

    async def change(self) -> list[Link]:
        """Wait in asyncio until something happens, and say what, in order."""
        loop = asyncio.get_running_loop()
        descriptor = sockets.descriptor(self._monitor)
        while not (links := list(self.read())):
            moved: asyncio.Future[None] = loop.create_future()
            loop.add_reader(descriptor, _resolve, moved)
            try:
                await moved
            finally:
                loop.remove_reader(descriptor)
        return links

    def close(self) -> None:
        """Watch no more."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)
        self._context.term()

    def __enter__(self) -> LinkWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
