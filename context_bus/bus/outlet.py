"""A socket of one's own to publish on, beside the bus: who listens there connects to it. Knows sockets only.

Nothing waits for a listener: one that is slower than what is published loses some of it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat

import zmq

from context_bus.bus import sockets
from context_bus.bus.endpoint import check_bind, split_endpoint
from context_bus.bus.publisher import check_topic
from context_bus.errors import EndpointError
from context_bus.kernel.message import SEPARATOR


class Outlet:
    """Publishes on one endpoint.

    Args:
        endpoint: Where to bind; a free port becomes a number in `endpoint`.
        insecure: Bind an address that others than this machine reach.

    Raises:
        EndpointError: The endpoint is malformed, taken, or open to others without ``insecure``.
    """

    def __init__(self, endpoint: str, *, insecure: bool = False) -> None:
        check_bind(endpoint, insecure=insecure, harm="read what is published")
        self._path = _path(endpoint)
        _check_path(self._path, endpoint)
        self._context = sockets.new_context(max_sockets=1)
        with sockets.released_on_failure(self._context):
            self._socket = sockets.outlet_socket(self._context)
            #: Where it listens.
            self.endpoint = sockets.bind(self._socket, endpoint)

    def send(self, topic: str, body: bytes) -> None:
        """Send JSON text to whoever listens now.

        Raises:
            FrameError: The topic cannot be sent.
        """
        with contextlib.suppress(zmq.Again):
            self._socket.send(check_topic(topic) + SEPARATOR + body, zmq.NOBLOCK)

    def close(self) -> None:
        """Close; what has been sent may still leave for a moment."""
        if self._socket.closed:
            return
        self._socket.close(round(sockets.LINGER * 1000))
        self._context.term()
        if self._path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # libzmq leaves it


def _path(endpoint: str) -> str:
    """The file that an endpoint is; empty if it is none."""
    transport, path, _ = split_endpoint(endpoint)
    return path if transport == "ipc" and not path.startswith("@") else ""


def _check_path(path: str, endpoint: str) -> None:
    """See that nobody listens at a path, and that no file is there: libzmq would remove it without a word."""
    if not path or not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise EndpointError(f"cannot bind {endpoint}: a file is there already; choose another path")
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return  # of one that was killed
        except OSError as error:
            raise EndpointError(f"cannot bind {endpoint}: {error.strerror}; choose another path") from None
    raise EndpointError(f"cannot bind {endpoint}: another process listens there; choose another path")
