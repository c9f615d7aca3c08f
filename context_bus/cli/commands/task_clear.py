"""``task clear``: delete what has ended from the history."""

from __future__ import annotations

from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say
from context_bus.cli.task_database import opened
from context_bus.cli.task_filters import filter_options
from context_bus.cli.task_options import db_option
from context_bus.cli.wording import plural
from context_bus.watch.values import Filter


@click.command(
    "clear", epilog=examples("{command} --until 30d", "{command} --name backup --failed", "{command} --all")
)
@filter_options
@click.option("--all", "everything", is_flag=True, help="The whole history.")
@json_option()
@db_option
def command(wanted: Filter, everything: bool, as_json: bool, db: Path | None) -> None:
    """Delete the chosen tasks from the history, and say how many they were.

    What is to go must be said: by --name, --since, --until or --failed, or --all. Tasks that run are not
    touched, nor are the files that tasks have written.
    """
    from context_bus.watch import history

    if everything == (wanted != Filter()):
        raise click.UsageError(
            "--all is the whole history; leave out the rest"
            if everything
            else "say which by --name, --since, --until or --failed; or --all for the whole history"
        )
    count = 0
    with opened(db) as database:
        if database is not None:
            count = history.clear(database, wanted)
    say(f'{{"deleted": {count}}}' if as_json else f"{plural(count, 'task')} deleted from the history")
