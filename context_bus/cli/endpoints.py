"""Where a command finds its bus: flags, environment, context file, then the ports of the documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from context_bus.cli.options import EndpointUrl, FileInProject

F = TypeVar("F", bound=Callable[..., object])

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


def listen_option(function: F) -> F:
    """Add ``--listen`` and ``--context_file``."""
    function = click.option(
        "--context_file",
        type=FileInProject(),
        envvar="CONTEXT_BUS_CONTEXT_FILE",
        help="Take the endpoints from this context file.",
    )(function)
    return click.option(
        "--listen",
        type=EndpointUrl(),
        envvar="CONTEXT_BUS_LISTEN",
        help=f"Endpoint to listen to, a context's FrontEndEndpoint.  [default: {DEFAULT_LISTEN}]",
    )(function)


def both_options(function: F) -> F:
    """Add ``--publish``, ``--listen`` and ``--context_file``."""
    return click.option(
        "--publish",
        type=EndpointUrl(),
        envvar="CONTEXT_BUS_PUBLISH",
        help=f"Endpoint to publish to, a context's BackendEndpoint.  [default: {DEFAULT_PUBLISH}]",
    )(listen_option(function))


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
