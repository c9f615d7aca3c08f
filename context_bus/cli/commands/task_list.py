"""``task list``: the tasks that run or are reserved, and how far they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say, say_table
from context_bus.cli.task_database import made, opened
from context_bus.cli.task_options import db_option, name_option

if TYPE_CHECKING:
    from context_bus.watch.sight import Sight
    from context_bus.watch.values import Task


@click.command("list", epilog=examples("{command}", "{command} --name backup --json", "{command} --running"))
@name_option("Only those of this name.")
@click.option("--running", is_flag=True, help="Leave out those that are only reserved.")
@click.option("-f", "--follow", is_flag=True, help="Show every change, until Ctrl-C or 'q'.")
@json_option("Print the result as JSON; with --follow one object per change and line.")
@db_option
def command(name: str | None, running: bool, follow: bool, as_json: bool, db: Path | None) -> None:
    """Show the tasks that run or are reserved: since when, how far, what they say of themselves.

    \b
    reserved   has an id, and 5 seconds to be launched
    running    runs, and has given feedback if it has to
    silent     has given none for a quarter of its timeout
    stalled    has given none for half of its timeout; beyond that it is ended

    'heard' is how long ago it gave feedback, and after how long it is ended. A terminal shows the table in
    place with --follow, a pipe gets a line for each change.
    """
    if follow:
        _follow(name, db, with_reserved=not running, as_json=as_json)
        return
    sights: Sequence[Sight] = ()
    with opened(db) as database:
        if database is not None:
            from context_bus.watch.running import tasks
            from context_bus.watch.sight import Looker

            sights = Looker().look(tasks(database, name=name, reserved=not running), time.time())
    _show(sights, as_json=as_json)


def _follow(name: str | None, db: Path | None, *, with_reserved: bool, as_json: bool) -> None:
    from context_bus.cli.task_faces import Board, Lines
    from context_bus.cli.task_follow import follow
    from context_bus.watch.database import Database
    from context_bus.watch.orphans import settle
    from context_bus.watch.running import tasks

    with Database(made(db)) as database:

        def list_tasks() -> list[Task]:
            settle(database, time.time())
            return tasks(database, name=name, reserved=with_reserved)

        with Board() if sys.stdout.isatty() and not as_json else Lines(as_json=as_json) as face:
            follow(database, list_tasks, name, face)


def _show(sights: Sequence[Sight], *, as_json: bool) -> None:
    from context_bus.cli import task_table

    if as_json:
        say(task_table.document(sights))
    elif not sights:
        say("No tasks.")
    else:
        columns, rows = task_table.table(sights, task_table.width())
        say_table(columns, rows, task_table.CUTTABLE)
