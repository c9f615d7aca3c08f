"""Takes the endpoint of a monitor, or says in words why not. Knows the outlet."""

from __future__ import annotations

import stat
from pathlib import Path

from context_bus.bus.endpoint import check_bind, split_endpoint
from context_bus.bus.outlet import Outlet
from context_bus.errors import EndpointError


def open_outlet(endpoint: str, *, insecure: bool) -> Outlet:
    """Bind the endpoint.

    Args:
        endpoint: The endpoint.
        insecure: The user has said that one which other machines reach is meant.

    Raises:
        EndpointError: It is taken, malformed, or open to others.
    """
    try:
        check_bind(endpoint, insecure=insecure)
    except EndpointError as error:
        raise EndpointError(f"endpoint of the monitor: {error}") from None
    transport, path, _ = split_endpoint(endpoint)
    # libzmq removes what is in the way, and the name may come from a message on the bus.
    if transport == "ipc" and not path.startswith("@") and _is_precious(Path(path)):
        raise EndpointError(f"cannot bind {endpoint}: {path} is there and no socket; choose another path")
    return Outlet(endpoint, insecure=insecure)


def _is_precious(path: Path) -> bool:
    try:
        return not stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
