"""``control.py``: look at tasks, reserve, kill, and care for their history and database.

Knows the room `watch` and prints; what it was asked for, `control_grammar` says.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from context_bus.cli.scripts import control_grammar, ending, tables
from context_bus.errors import StoreError, UnknownTask
from context_bus.watch.database import Database
from context_bus.watch.orphans import settle

#: Name of a reservation that was given none.
NO_NAME = "noname"
#: Actions that change nothing.
_LOOKS = frozenset({"list", "history", "feedback"})


def main(args: Sequence[str] | None = None) -> int:
    """Run the script; returns the exit code."""
    return ending.run(control_grammar.parse, _act, args)


def _act(options: Namespace) -> int:
    for name, value in options.actions:
        if name == "initialize":
            _initialize(options)
            continue
        with Database(Path(options.db)) as database:
            _settle(database, is_look=name in _LOOKS)
            _ACTS[name](database, value, options)
    return 0


def _settle(database: Database, *, is_look: bool) -> None:
    """See that what a killed launcher left is no task any more; who may only read sees what there is."""
    try:
        settle(database, time.time())
    except StoreError:
        if not is_look:
            raise


def _initialize(options: Namespace) -> None:
    from context_bus.watch.schema import create

    create(Path(options.db), force=options.force)
    print(f"Initializing database {options.db}")


def _update(database: Database, value: bool, options: Namespace) -> None:
    from context_bus.watch.running import update

    update(database, time.time())


def _list(database: Database, value: bool, options: Namespace) -> None:
    from context_bus.watch.running import tasks

    found = tasks(database, now=time.time())
    if options.json:
        _say_pieces(tables.task_json(found))
    else:
        _say_lines(tables.task_table(found))


def _history(database: Database, value: bool, options: Namespace) -> None:
    from context_bus.watch.history import in_order

    rows = in_order(database)
    if options.human:
        _say_lines(tables.past_table(rows))
    else:
        _say_pieces(tables.past_json(rows))


def _reserve(database: Database, value: bool, options: Namespace) -> None:
    from context_bus.watch.reservation import reserve

    name = options.taskname or NO_NAME
    info = (options.info1 or "", options.info2 or "", options.info3 or "")
    taskid = reserve(database, time.time(), name, unique=options.unique, info=info)
    print(f"Taskid {taskid} has been reserved")


def _feedback(database: Database, taskid: int, options: Namespace) -> None:
    print(json.dumps(_reported(database, taskid)))


def _reported(database: Database, taskid: int) -> object:
    """What a task reports now; of one that has ended, what it reported last.

    Raises:
        UnknownTask: Nobody has or had this id.
    """
    from context_bus.cli.scripts.parse import values_of
    from context_bus.watch import history, running
    from context_bus.watch.values import Filter

    task = running.get(database, taskid)
    if task is not None:
        with contextlib.suppress(OSError):  # removed by the end of the task, or another user's
            # To open a pipe would wait for its writer, and take from its reader.
            if task.feedfile and os.path.isfile(task.feedfile):
                return values_of(task.feedfile)
        return _read(running.last_feedback(database, taskid))
    for past in history.past(database, Filter(taskid=taskid, limit=1)):
        return _read(past.feedback)
    raise UnknownTask(taskid)


def _read(feedback: str) -> object:
    """What is kept of a feedback; a text where the original tool has left one that is no JSON."""
    try:
        return json.loads(feedback)
    except ValueError:
        return feedback


def _kill(database: Database, taskid: int, options: Namespace) -> None:
    from context_bus.watch.killing import kill

    kill(database, taskid)


def _killall(database: Database, name: str, options: Namespace) -> None:
    from context_bus.watch.killing import killall

    killall(database, name)


def _clear(database: Database, value: bool, options: Namespace) -> None:
    from context_bus.watch.history import clear
    from context_bus.watch.values import Filter

    count = clear(database, Filter())
    print(f"{count} {'task' if count == 1 else 'tasks'} cleared from the history")


_ACTS: dict[str, Callable[[Database, Any, Namespace], None]] = {
    "update": _update,
    "list": _list,
    "history": _history,
    "reserve": _reserve,
    "feedback": _feedback,
    "clear": _clear,
    "kill": _kill,
    "killall": _killall,
}


def _say_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


def _say_pieces(pieces: Iterable[str]) -> None:
    sys.stdout.writelines(pieces)
    sys.stdout.write("\n")
