"""``task kill``: end tasks, with all that they started."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import json_option
from context_bus.cli.output import say, styled_state
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option, kill_options, tasks_argument


@click.command(
    "kill",
    epilog=examples("{command} $(context-bus task launch --detach -- sleep 60) --signal INT --grace 2"),
)
@tasks_argument
@kill_options
@json_option("Print one JSON object per task and line: all that the history keeps of it.")
@db_option
def command(
    taskids: tuple[int, ...], number: signal.Signals, grace: float, as_json: bool, db: Path | None
) -> None:
    """End the tasks, with all that they started, and say when they are gone.

    All processes get the signal, and SIGKILL after --grace. If one of the ids is unknown or only reserved,
    none is ended: that exits with 7.
    """
    from context_bus.cli import task_past
    from context_bus.errors import UnknownTask, WatchError
    from context_bus.watch import history, running
    from context_bus.watch.killing import kill
    from context_bus.watch.values import Filter, Outcome, TaskStatus

    with opened(db) as database:
        if database is None:
            raise UnknownTask(taskids[0])
        for taskid in taskids:
            if (task := running.get(database, taskid)) is None:
                raise UnknownTask(taskid)
            if task.status is TaskStatus.RESERVED:
                raise WatchError(f"task {taskid} is in status reserved, not running, won't kill")
        for taskid in taskids:
            kill(database, taskid, number, grace)
            past = next(history.past(database, Filter(taskid=taskid, limit=1)), None)
            if as_json:
                say(json.dumps(task_past.facts(past) if past else {"taskid": taskid}, ensure_ascii=False))
            else:
                say(f"{taskid} {styled_state(past.outcome if past else Outcome.KILLED)}")
