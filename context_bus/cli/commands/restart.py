"""``restart``: restart services of a running provider, whatever their state."""

from __future__ import annotations

from typing import Any

import click

from context_bus.cli.lazy import examples
from context_bus.cli.provider_options import command_options, service_arguments


@click.command(
    "restart", epilog=examples("{command} ts_100 -c Conf/Context-EchoAction.xml", "{command} 'ts_1*' --json")
)
@service_arguments
@click.option("--all", "everything", is_flag=True, help="Every service of the transaction.")
@command_options
def command(names: tuple[str, ...], everything: bool, **options: Any) -> None:
    """Restart services of a running provider, whatever their state.

    SERVICE is an id (ts_100 means all its instances), or a pattern such as 'ts_*'. Waits for the outcome;
    exits with 5 if the provider refuses, a service fails or --timeout passes, with 3 if there is no provider.
    """
    from context_bus.cli.ordering import order

    if not names and not everything:
        raise click.UsageError("name the services, or add --all", click.get_current_context())
    order("restart", names, **options)
