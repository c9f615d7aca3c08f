"""``task killall``: end all tasks of a name."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say
from context_bus.cli.task_completing import names
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option, kill_options
from context_bus.cli.wording import plural


@click.command("killall", epilog=examples("{command} backup", "{command} backup --grace 10"))
@click.argument("name", metavar="NAME", shell_complete=names)
@kill_options
@json_option()
@db_option
def command(name: str, number: signal.Signals, grace: float, as_json: bool, db: Path | None) -> None:
    """End all tasks of that name, with all that they started, and say how many they were.

    Reservations of that name are withdrawn. It is no error if there is nothing of that name.
    """
    from context_bus.watch.killing import killall

    count = 0
    with opened(db) as database:
        if database is not None:
            count = killall(database, name, number, grace)
    say(f'{{"ended": {count}}}' if as_json else f"{plural(count, 'task')} ended")
