"""Options that name the ends of a bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from context_bus.cli.options import EndpointUrl, FileInProject
from context_bus.client.endpoints import DEFAULT_LISTEN, DEFAULT_PUBLISH

F = TypeVar("F", bound=Callable[..., object])


def listen_option(function: F) -> F:
    """Add ``--listen`` and ``--context_file``."""
    function = click.option(
        "-c",
        "--context_file",
        type=FileInProject(),
        envvar="CONTEXT_BUS_CONTEXT_FILE",
        help="Take the endpoints from this context file.",
    )(function)
    return click.option(
        "--listen",
        type=EndpointUrl(),
        envvar="CONTEXT_BUS_LISTEN",
        help=f"Where to listen: FrontEndEndpoint.  [default: the only one here, or {DEFAULT_LISTEN}]",
    )(function)


def both_options(function: F) -> F:
    """Add ``--publish``, ``--listen`` and ``--context_file``."""
    return click.option(
        "--publish",
        type=EndpointUrl(),
        envvar="CONTEXT_BUS_PUBLISH",
        help=f"Where to publish: BackendEndpoint.  [default: the only one here, or {DEFAULT_PUBLISH}]",
    )(listen_option(function))
