"""Addresses of the bus and what may be bound. Knows errors; must not know zmq.

A forwarder that listens beyond this machine lets anybody who reaches the port command the services,
so a wildcard or a foreign address is refused unless the user says that it is meant.
"""

from __future__ import annotations

import ipaddress
import socket

from context_bus.errors import EndpointError

#: Transports that never leave this machine.
LOCAL_TRANSPORTS = frozenset({"ipc", "inproc"})
#: Host part that stands for every interface.
WILDCARDS = frozenset({"*", "0.0.0.0", "::", ""})
#: What whoever reaches a forwarder could do.
COMMAND = "command the services"
#: Port part that lets the system choose; zmq accepts both.
FREE_PORTS = frozenset({"*", "0"})
_HIGHEST_PORT = 65535


def split_endpoint(endpoint: str) -> tuple[str, str, str]:
    """Take an endpoint apart.

    Returns:
        Transport, host (or path) and port; the port is empty where the transport has none.

    Raises:
        EndpointError: It is not of the form ``tcp://host:port`` or ``ipc://path``.
    """
    transport, mark, rest = endpoint.partition("://")
    if not mark or not rest:
        raise EndpointError(
            f"endpoint {endpoint!r} is malformed; expected tcp://<host>:<port> or ipc://<path>"
        )
    if transport in LOCAL_TRANSPORTS:
        return transport, rest, ""
    if transport != "tcp":
        raise EndpointError(
            f"endpoint {endpoint!r} has unknown transport {transport!r}; use tcp:// or ipc://"
        )
    host, mark, port = rest.rpartition(":")
    if not mark or not host:
        raise EndpointError(f"endpoint {endpoint!r} has no port; expected tcp://<host>:<port>")
    if port not in FREE_PORTS and not (port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT):
        raise EndpointError(
            f"endpoint {endpoint!r} has port {port!r}; expected a number from 1 to {_HIGHEST_PORT}"
        )
    return transport, host.strip("[]"), port


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach the endpoint."""
    transport, host, _ = split_endpoint(endpoint)
    if transport in LOCAL_TRANSPORTS or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "lo"


def check_bind(endpoint: str, *, insecure: bool, harm: str = COMMAND) -> None:
    """Refuse to bind where others than this machine could send commands, or do other harm.

    Args:
        endpoint: Where a forwarder is about to listen.
        insecure: The user has said that an open endpoint is meant.
        harm: What they could do, in words.

    Raises:
        EndpointError: The endpoint is malformed, or open to others without ``insecure``.
    """
    _, host, _ = split_endpoint(endpoint)
    if insecure or is_loopback(endpoint):
        return
    reach = "every interface" if host in WILDCARDS else f"address {host}"
    raise EndpointError(
        f"refused to bind {endpoint}: anybody who reaches {reach} could {harm}; "
        "bind tcp://127.0.0.1:<port>, or say --insecure if the network is trusted"
    )


def free_endpoint() -> str:
    """An endpoint on this machine whose port was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
