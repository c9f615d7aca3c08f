"""``monitor list``: of what there are records."""

from __future__ import annotations

from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import say_json, say_table
from context_bus.cli.records_options import records_options
from context_bus.config.quantities import say_moment

COLUMNS = ("service", "transaction", "records", "from", "to")


@click.command("list", epilog=examples("{command} -c Conf/Context-EchoAction.xml"))
@records_options()
def command(context_file: Path | None, state: str, store: str, as_json: bool) -> None:
    """Show which services are recorded, from when to when, and how many records there are.

    The services of the youngest transaction come first. Exits with 9 if nothing is recorded.
    """
    from context_bus.client.recorded import open_records, place_for

    with open_records(place_for(context_file, state), store) as records:
        found = records.series()
    if as_json:
        say_json(found)
        return
    say_table(
        COLUMNS,
        [
            (each.service_id, each.transaction, each.samples, say_moment(each.first), say_moment(each.last))
            for each in found
        ],
    )
