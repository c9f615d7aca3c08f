"""Notices a forwarder that exists but does not answer. Knows zmq; must not know who asks.

A socket of its own beats to the forwarder ten times a second; what the kernel or a stopped process
does not answer in time breaks that one connection, and the socket's monitor says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import zmq
from zmq.utils.monitor import parse_monitor_message

from context_bus.bus import sockets

#: Seconds between two beats, and until an answer is missed.
BEAT, PATIENCE = 0.1, 0.3


class Heartbeat:
    """Watches one forwarder.

    Args:
        endpoint: Where it serves listeners.
        lost: Called when it has stopped answering.
        found: Called when it answers again.
    """

    def __init__(self, endpoint: str, lost: Callable[[], None], found: Callable[[], None]) -> None:
        self._lost, self._found = lost, found
        self._context = sockets.new_context()
        self._socket = sockets.subscriber_socket(self._context, endpoint, heartbeat=(BEAT, PATIENCE))
        events = zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED
        self._monitor = self._socket.get_monitor_socket(events)
        self._answers = True
        self._fd = int(self._monitor.get(zmq.FD))

    def start(self) -> None:
        """Watch, in the running loop."""
        asyncio.get_running_loop().add_reader(self._fd, self._take)
        self._take()

    def close(self) -> None:
        """Watch no longer."""
        asyncio.get_running_loop().remove_reader(self._fd)
        self._socket.disable_monitor()
        self._socket.close(0)
        self._monitor.close(0)
        self._context.term()

    def _take(self) -> None:
        # The descriptor tells of news once; so all of it is taken.
        while int(self._monitor.get(zmq.EVENTS)) & zmq.POLLIN:
            event = parse_monitor_message(self._monitor.recv_multipart(zmq.DONTWAIT))["event"]
            if event == zmq.Event.DISCONNECTED and self._answers:
                self._answers = False
                self._lost()
            elif event == zmq.Event.HANDSHAKE_SUCCEEDED and not self._answers:
                self._answers = True
                self._found()
