"""``task wait``: until tasks have ended."""

from __future__ import annotations

import json
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, json_option
from context_bus.cli.output import say
from context_bus.cli.task_database import opened
from context_bus.cli.task_options import db_option, tasks_argument


@click.command(
    "wait",
    epilog=examples(
        "{command} $(context-bus task launch --detach -- sleep 0.3)",
        "{command} $(context-bus task launch --detach -- true) --timeout 10 --json",
    ),
)
@tasks_argument
@click.option("--timeout", type=Seconds(), help="Seconds to wait for all of them.  [default: for ever]")
@json_option("Print one JSON object per task and line: all that the history keeps of it.")
@db_option
def command(taskids: tuple[int, ...], timeout: float | None, as_json: bool, db: Path | None) -> None:
    """Wait until all these tasks have ended, and tell how each did, in the order of their ends.

    A terminal shows how far they are meanwhile. A task that has ended before is told at once; one that is
    reserved is waited for, too.

    Exits with the code of the task, as its launch does: its own, 128+N for signal N, 124 for a timeout, 127
    if it was not found, 255 if nobody knows; of several tasks, with the greatest. If --timeout passes first,
    or an id is unknown, there is an error and the code is 7.
    """
    from context_bus.cli import task_past
    from context_bus.errors import UnknownTask

    worst = 0
    with opened(db) as database:
        if database is None:
            raise UnknownTask(taskids[0])
        from context_bus.cli.task_waiting import ends

        for past in ends(database, taskids, timeout):
            worst = max(worst, task_past.exit_code(past))
            say(json.dumps(task_past.facts(past), ensure_ascii=False) if as_json else task_past.line(past))
    click.get_current_context().exit(worst)
