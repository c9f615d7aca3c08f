"""Where a program finds its bus: what was said, the context file, then the ports of the documents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Where the documents' contexts serve listeners and publishers.
DEFAULT_LISTEN = "tcp://127.0.0.1:5556"
DEFAULT_PUBLISH = "tcp://127.0.0.1:5557"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Both ends of a bus: where to listen (FrontEndEndpoint), where to publish to (BackendEndpoint).

    The provider may have a socket of its own besides, for this machine.
    """

    listen: str
    publish: str
    socket: str = ""


def resolve(listen: str | None, publish: str | None, context_file: Path | None) -> Endpoints:
    """Fill in what no flag and no environment said.

    Raises:
        ConfigurationError: The context file cannot be used.
    """
    if context_file is None or (listen and publish):
        return Endpoints(listen or DEFAULT_LISTEN, publish or DEFAULT_PUBLISH)
    from context_bus.config.load import read_context

    conf = read_context(context_file)
    return Endpoints(listen or conf.front_end_endpoint, publish or conf.backend_endpoint)


def port_below(publish: str) -> str:
    """Where a context's listeners connect, by the documents' habit: one port below the publishers'."""
    host, _, port = publish.rpartition(":")
    if publish == DEFAULT_PUBLISH or not publish.startswith("tcp://"):
        return DEFAULT_LISTEN
    return f"{host}:{int(port) - 1}"
