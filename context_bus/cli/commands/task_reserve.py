"""``task reserve``: take a task id, alone of its name if wanted."""

from __future__ import annotations

import time
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say
from context_bus.cli.task_database import made
from context_bus.cli.task_options import db_option, info_options, name_option


@click.command(
    "reserve",
    epilog=examples(
        "{command}",
        "{command} --name backup --unique",
        "ID=$({command} --name report --at_most 2) && context-bus task launch --taskid $ID -- sleep 0.2",
    ),
)
@name_option("Name of the task; the launch may give another.")
@info_options
@click.option("--unique", is_flag=True, help="Only if no task of that name is reserved or runs.")
@click.option(
    "--at_most",
    "--at-most",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only if fewer than so many of that name are reserved or run.",
)
@json_option()
@db_option
def command(
    name: str | None,
    info: tuple[str, str, str],
    unique: bool,
    at_most: int | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Reserve a task id and print it; the launch with --taskid takes it up.

    It is yours for 5 seconds, and nobody's ever after: no id is given twice. Exits with 7 if --unique or
    --at_most forbid it.
    """
    from context_bus.watch.database import Database
    from context_bus.watch.orphans import settle
    from context_bus.watch.reservation import reserve

    if (unique or at_most) and not name:
        raise click.UsageError("--unique and --at_most are about a name; add --name")
    with Database(made(db)) as database:
        now = time.time()
        settle(database, now)  # what died is no reason to refuse a name
        taskid = reserve(database, now, name or "", unique=unique, at_most=at_most, info=info)
    say(f'{{"taskid": {taskid}}}' if as_json else str(taskid))
