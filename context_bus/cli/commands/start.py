"""``start``: start services of a running provider: those named, or all that its file has."""

from __future__ import annotations

from typing import Any

import click

from context_bus.cli.lazy import examples
from context_bus.cli.provider_options import command_options, service_arguments


@click.command("start", epilog=examples("{command} ts_100 -c Conf/Context-EchoAction.xml"))
@service_arguments
@command_options
def command(names: tuple[str, ...], **options: Any) -> None:
    """Start services of a running provider: those named, or all that its file has.

    SERVICE is an id (ts_100 means all its instances), or a pattern such as 'ts_*'. Waits for the outcome;
    exits with 5 if the provider refuses, a service fails or --timeout passes, with 3 if there is no provider.
    """
    from context_bus.cli.ordering import order

    order("start", names, **options)
