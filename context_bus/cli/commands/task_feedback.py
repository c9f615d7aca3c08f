"""``task feedback``: what a task reports of itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import remark, say, say_table
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option, task_argument

if TYPE_CHECKING:
    from context_bus.watch.database import Database


@click.command(
    "feedback",
    epilog=examples(
        "ID=$(context-bus task launch -d -- sh -c 'echo [step]2 > $CONTEXT_BUS_FEEDBACK; sleep 1');"
        " {command} $ID --json"
    ),
)
@task_argument
@json_option("Print the result as a JSON object.")
@db_option
def command(taskid: int, as_json: bool, db: Path | None) -> None:
    """Show what a task reports of itself: of one that runs as its file stands now, of one that has ended its
    last words.

    Exits with 7 if there never was such a task, or its history was deleted.
    """
    from context_bus.errors import UnknownTask

    with opened(db) as database:
        found = None if database is None else _values(database, taskid)
    if found is None:
        raise UnknownTask(taskid)
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    elif not found:
        remark(f"task {taskid} has reported nothing")
    elif isinstance(found, dict):
        say_table(("keyword", "value"), [*found.items()])
    else:
        say(str(found))


def _values(database: Database, taskid: int) -> object:
    """The pairs; text of an older program as it is; None if there is no such task."""
    from context_bus.cli import task_past
    from context_bus.watch import history, running
    from context_bus.watch.feedbackfile import FeedbackReader
    from context_bus.watch.values import Filter

    task = running.get(database, taskid)
    if task is None:
        past = next(history.past(database, Filter(taskid=taskid, limit=1)), None)
        return None if past is None else task_past.values(past.feedback)
    values = FeedbackReader(Path(task.feedfile)).read() if task.feedfile else {}
    running.store_feedback(database, taskid, json.dumps(values, ensure_ascii=False), time.time())
    return values
