"""Ids and names of tasks for the shell to complete, read from the database while one types.

Whatever is wrong completes to nothing: a shell has no place for a message. Must not make a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from context_bus.watch.database import Database

#: Ended tasks that are offered beside those that run.
RECENT = 50
#: Seconds that one who types waits at most for a database that others write.
PATIENCE = 0.5


def task_ids(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of tasks that run, and of those that ended lately where ended ones are of use."""
    given = ctx.params.get(parameter.name or "") or ()
    taken = {str(each) for each in given} if isinstance(given, tuple) else {str(given)}

    def found(database: Database) -> Iterable[tuple[str, str]]:
        from context_bus.watch import history, running
        from context_bus.watch.values import Filter

        for task in running.tasks(database):
            yield str(task.id), f"{task.name or ' '.join(task.argv)} ({task.status.lower()})"
        if ctx.info_name not in _LIVING_ONLY:
            for past in history.past(database, Filter(limit=RECENT)):
                yield str(past.taskid), f"{past.taskname or ' '.join(past.argv)} ({past.outcome})"

    return [item for item in _beginning(incomplete, found, ctx) if item.value not in taken]


def names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of tasks, of those that run and, where ended ones are of use, of those that ended lately."""

    def found(database: Database) -> Iterable[tuple[str, str]]:
        from context_bus.watch import history, running
        from context_bus.watch.values import Filter

        for task in running.tasks(database):
            yield task.name or "", ""
        if ctx.info_name not in _LIVING_ONLY:
            for past in history.past(database, Filter(limit=RECENT)):
                yield past.taskname or "", ""

    return _beginning(incomplete, found, ctx)


#: Commands for which a task that has ended is none.
_LIVING_ONLY = frozenset({"kill", "killall", "launch", "list"})


def _beginning(
    incomplete: str, found: Callable[[Database], Iterable[tuple[str, str]]], ctx: click.Context
) -> list[CompletionItem]:
    import sqlite3

    from click.shell_completion import CompletionItem

    from context_bus.cli.task_database import default_database
    from context_bus.errors import ContextBusError
    from context_bus.watch.database import Database

    path = ctx.params.get("db") or default_database()
    if not Path(path).is_file():
        return []
    try:
        with Database(Path(path), patience=PATIENCE) as database:
            pairs = dict(found(database))
    except (ContextBusError, OSError, sqlite3.Error):
        return []
    return [CompletionItem(name, help=what) for name, what in pairs.items() if name.startswith(incomplete)]
