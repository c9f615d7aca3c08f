"""``task update``: bring durations and statuses in the database up to date."""

from __future__ import annotations

import time
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option
from context_bus.cli.wording import plural


@click.command("update", epilog=examples("{command}"))
@json_option()
@db_option
def command(as_json: bool, db: Path | None) -> None:
    """Write durations and statuses as they are now, for whoever reads the database itself.

    Reservations nobody took up are dropped, and tasks whose launcher was killed come into the history. The
    commands of 'context-bus task' need none of this: they look for themselves.
    """
    from context_bus.watch import running

    with opened(db) as database:
        if database is not None:
            running.update(database, time.time())
        count = 0 if database is None else len(running.tasks(database))
    say(f'{{"tasks": {count}}}' if as_json else plural(count, "task"))
