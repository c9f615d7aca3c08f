"""``scale``: have more or fewer instances of a service."""

from __future__ import annotations

from pathlib import Path

import click

from context_bus.cli.completing import service_ids
from context_bus.cli.lazy import examples
from context_bus.cli.provider_options import command_options
from context_bus.client.whereabouts import endpoints_of


@click.command("scale", epilog=examples("{command} ts_100=3 -c Conf/Context-EchoAction.xml"))
@click.argument("service", metavar="SERVICE=COUNT", shell_complete=service_ids)
@command_options
def command(
    service: str,
    transaction: str,
    timeout: float,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Have so many instances of a service: SERVICE, SERVICE#2, SERVICE#3 and so on.

    Those that run already are left alone. Exits with 5 if the provider refuses or an instance fails.
    """
    from context_bus.cli.ordering import observer
    from context_bus.cli.outcome import print_outcome
    from context_bus.client.asking import choose_transaction, open_conversation, services
    from context_bus.client.ordering import send

    name, sign, text = service.partition("=")
    if not sign or not name or not text.isdecimal():
        raise click.UsageError(
            f"'{service}' is not SERVICE=COUNT, such as ts_100=3", click.get_current_context()
        )
    with open_conversation(endpoints_of(context_file, publish, listen, state)) as conversation:
        found = services(conversation)
        chosen = choose_transaction(found, transaction).name
        configuration = {"TaskService": [{"id": name}], "instances": int(text)}
        context_id = str(found.provider.get("context_id", ""))
        outcome = send(
            conversation, "scale", chosen, context_id, configuration, timeout, observer(as_json=as_json)
        )
    print_outcome("scale", outcome, as_json=as_json)
