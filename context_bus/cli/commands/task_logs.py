"""``task logs``: what a task has written, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option, task_argument

if TYPE_CHECKING:
    from context_bus.watch.database import Database


@click.command(
    "logs",
    epilog=examples(
        "ID=$(context-bus task launch --detach -- date); context-bus task wait $ID; {command} $ID",
        "{command} $(context-bus task launch --detach -- sh -c 'echo one; sleep 0.3; echo two') --follow",
    ),
)
@task_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what it writes, until it has ended.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    metavar="N",
    default=50,
    show_default=True,
    help="The last so many.",
)
@click.option("--error", "of_errors", is_flag=True, help="What it has written to its standard error.")
@json_option("Print one JSON object per line.")
@db_option
def command(taskid: int, follow: bool, lines: int, of_errors: bool, as_json: bool, db: Path | None) -> None:
    """Show the last lines that a task has written, also when it has ended; and follow it.

    Only what goes to a file can be shown: of a task launched with --output or --detach. Exits with 7 if there
    is no such task or no such file.
    """
    from context_bus.errors import UnknownTask

    with opened(db) as database:
        if database is None:
            raise UnknownTask(taskid)
        file = _file(database, taskid, of_errors=of_errors)
        if follow:
            from context_bus.cli.task_tailing import follow_task

            for text in follow_task(database, taskid, file, lines):
                _print(text, as_json=as_json)
        else:
            from context_bus.process.tail import last_lines

            for line in last_lines(file, lines):
                _print(line + b"\n", as_json=as_json)


def _file(database: Database, taskid: int, *, of_errors: bool) -> Path:
    """Where it writes.

    Raises:
        UnknownTask: There is no such task.
        WatchError: It writes to no file.
    """
    from context_bus.errors import UnknownTask, WatchError
    from context_bus.watch import history, running
    from context_bus.watch.values import Filter

    found = running.get(database, taskid) or next(
        history.past(database, Filter(taskid=taskid, limit=1)), None
    )
    if found is None:
        raise UnknownTask(taskid)
    if of_errors and not found.error and found.output:
        raise WatchError(f"the errors of task {taskid} go where its output goes; leave out --error")
    name = found.error if of_errors else found.output
    if not name:
        raise WatchError(f"task {taskid} writes to no file; launch it with --output or --detach")
    return Path(name)


def _print(text: bytes, *, as_json: bool) -> None:
    if not as_json:
        click.echo(text, nl=False)
        return
    for line in text.splitlines():
        click.echo(json.dumps({"line": line.decode(errors="replace")}, ensure_ascii=False))
