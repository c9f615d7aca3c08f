"""``task kill``: end tasks, with all that they started."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.output import say, styled_state
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option, kill_options, tasks_argument


@click.command(
    "kill",
    epilog=examples("{command} $(context-bus task launch --detach -- sleep 60) --signal INT --grace 2"),
)
@tasks_argument
@kill_options
@db_option
def command(taskids: tuple[int, ...], number: signal.Signals, grace: float, db: Path | None) -> None:
    """End the tasks, with all that they started, and say when they are gone.

    All processes get the signal, and SIGKILL after --grace. If one of the ids is unknown or only reserved,
    none is ended: that exits with 7.
    """
    from context_bus.errors import NotRunning, UnknownTask
    from context_bus.watch import running
    from context_bus.watch.killing import kill
    from context_bus.watch.values import TaskStatus

    with opened(db) as database:
        if database is None:
            raise UnknownTask(taskids[0], "won't kill")
        for taskid in taskids:
            if (task := running.get(database, taskid)) is None:
                raise UnknownTask(taskid, "won't kill")
            if task.status is TaskStatus.RESERVED:
                raise NotRunning(taskid)
        for taskid in taskids:
            kill(database, taskid, number, grace)
            say(f"{taskid} {styled_state('killed')}")
