"""The endpoint of a monitor's own, where its frames leave. Knows the bus room's sockets."""

from __future__ import annotations

import stat
from pathlib import Path

import zmq

from context_bus.bus import sockets
from context_bus.bus.endpoint import check_bind, split_endpoint
from context_bus.errors import EndpointError

#: Frames that wait for one slow listener; beyond it that listener alone loses some.
_HWM = 1_000
#: Sockets of its own that libzmq takes memory for.
_MAX_SOCKETS = 8


class Outlet:
    """Publishes on an endpoint that it binds.

    Args:
        endpoint: The endpoint.
        insecure: The user has said that one which other machines reach is meant.

    Raises:
        EndpointError: It is taken, malformed, or open to others.
    """

    def __init__(self, endpoint: str, *, insecure: bool = False) -> None:
        _check(endpoint, insecure=insecure)
        self._context = sockets.new_context(_MAX_SOCKETS)
        with sockets.released_on_failure(self._context):
            self._socket = sockets.outlet_socket(self._context, _HWM)
            sockets.bind(self._socket, endpoint)

    def send(self, frame: bytes) -> None:
        """Send to whoever listens; waits for nobody."""
        self._socket.send(frame, zmq.DONTWAIT)

    def close(self) -> None:
        """Free the endpoint."""
        self._socket.close(0)
        self._context.term()


def _check(endpoint: str, *, insecure: bool) -> None:
    try:
        check_bind(endpoint, insecure=insecure)
    except EndpointError as error:
        raise EndpointError(f"endpoint of the monitor: {error}") from None
    transport, path, _ = split_endpoint(endpoint)
    # libzmq removes what is in the way, and the name may come from a message on the bus.
    if transport == "ipc" and not path.startswith("@") and _is_precious(Path(path)):
        raise EndpointError(f"cannot bind {endpoint}: {path} is there and no socket; choose another path")


def _is_precious(path: Path) -> bool:
    try:
        return not stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
