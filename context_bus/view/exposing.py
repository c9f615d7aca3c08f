"""Serves what is known of a provider to Prometheus, or prints it once. Knows prometheus-client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from context_bus.bus.endpoint import check_bind
from context_bus.errors import EndpointError
from context_bus.view.live import Live
from context_bus.view.metrics import ProviderCollector

#: What whoever reaches the port could do.
HARM = "read names and figures of all services"
#: Seconds between two looks at what nodes have told: it must not pile up between two scrapes.
TAKE_IN_EVERY = 1.0


def text_of(live: Live) -> bytes:
    """Everything, as Prometheus would read it now."""
    return generate_latest(_registry(live))


@contextmanager
def served(live: Live, host: str, port: int, *, insecure: bool) -> Iterator[str]:
    """Serve while the block runs.

    Args:
        live: What is known of the provider.
        host: Address to bind.
        port: Port; 0 for a free one.
        insecure: Whether others than this machine may be let in.

    Yields:
        Where it is served.

    Raises:
        EndpointError: The address is taken, is none of this machine, or reaches beyond it.
    """
    shown = f"[{host}]" if ":" in host else host
    check_bind(f"tcp://{shown}:{port}", insecure=insecure, harm=HARM)
    try:
        server, thread = start_http_server(port, host, _registry(live))
    except OSError as error:
        reason = error.strerror or str(error)
        raise EndpointError(
            f"cannot serve metrics at {shown}:{port}: {reason}; choose another --port or --host"
        ) from None
    closing = threading.Event()
    pump = threading.Thread(target=_take_in, args=(live, closing), name="metrics-pump", daemon=True)
    pump.start()
    try:
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        closing.set()
        pump.join()
        server.shutdown()
        server.server_close()
        thread.join()


def _take_in(live: Live, closing: threading.Event) -> None:
    while not closing.wait(TAKE_IN_EVERY):
        live.take_in()


def _registry(live: Live) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ProviderCollector(live))
    return registry
