"""``task init``: make a database of tasks, or empty one."""

from __future__ import annotations

from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import say
from context_bus.cli.task_database import default_database
from context_bus.cli.task_options import db_option


@click.command("init", epilog=examples("{command} --db tasks.db", "{command} --db tasks.db --force"))
@click.option("--force", is_flag=True, help="Also if tasks run, or the file holds something else.")
@db_option
def command(force: bool, db: Path | None) -> None:
    """Make a database of tasks; one that is there loses all it holds.

    Exits with 7 while tasks run, and with 9 if the file holds something else. With --force the tasks run on,
    and come into the history when they end; a file with something else gets a name that ends with .old.
    """
    from context_bus.watch.schema import create

    path = db or default_database()
    create(path, force=force)
    say(f"{path} is ready, and empty")
